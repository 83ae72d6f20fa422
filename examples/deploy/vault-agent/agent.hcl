# `bao agent -config=agent.hcl` (or vault agent) beside the programs of tenant acme: logs in with the AppRole that tenantry made for
# it, writes its credentials as an environment file, and writes them again when they change. docs/vault-access.md
vault {
  address = "https://vault.internal:8200"
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "/run/acme/role-id"
      secret_id_file_path = "/run/acme/secret-id"
      # The file is deleted once it is read.
      remove_secret_id_file_after_reading = true
    }
  }
}

template_config {
  # A secret of KV has no lease: it is read again this often, so an old password must work for longer (rotation = "two-user").
  static_secret_render_interval = "1m"
  exit_on_retry_failure         = true
}

template {
  contents    = <<EOT
{{ with secret "secret/data/tenants/acme" }}DATABASE_URL={{ .Data.data.url }}
PGHOST={{ .Data.data.host }}
PGPORT={{ .Data.data.port }}
PGDATABASE={{ .Data.data.database }}
PGUSER={{ .Data.data.username }}
{{ end }}
EOT
  destination = "/run/acme/database.env"
  perms       = "0600"
  # exec = { command = ["systemctl", "restart", "acme"] }
}
