//! The observed state right after a successful apply, built from the desired state alone.

use secrecy::ExposeSecret;
use tenantry::model::{
    Access, Acl, Admin, Applied, Belongs, Database, DefaultAcl, Desired, Extension, Grantee, Group, History,
    Membership, ObjectGroup, ObjectKind, Observed, PublicSchema, PublicState, Readable, Registered, RegisteredSecret,
    RegisteredVaultObject, Registry, Role, Schema, SecretContents, SecretFields, SecretState, Server, SharedSchema,
    State, Tenant, VaultSeen, ident,
};
use tenantry::plan::{
    group_role, object_privileges, owners_privileges, owners_role, owners_want_temp, schema_privileges,
};

/// The first schema's; one is as good as another, as long as registry and catalog agree.
const FIRST_OID: u32 = 16_400;

/// A server of this version, with a superuser or a CREATEROLE role as admin.
pub fn server(version_num: i32, superuser: bool) -> Server {
    Server {
        version_num,
        system_identifier: "7000000000000000001".into(),
        lock_slots: 6_400,
        connection_slots: 97,
        logged_by: Vec::new(),
        host: "db.internal".into(),
        port: 5432,
        reached: vec!["db.internal:5432".into()],
        encrypted: true,
        in_recovery: false,
        admin: Admin {
            name: "admin".into(),
            superuser,
            createrole: true,
            can_create_schema: true,
            owns_database: true,
            owns_public: superuser,
            may_grant_connect: true,
            ..Admin::default()
        },
        reader: None,
        keeper: None,
    }
}

/// A database that nothing was applied to: as `createdb app` leaves it.
pub fn untouched(server: Server) -> Observed {
    let public = if server.major() >= 15 { "U" } else { "CU" };
    let database = Database {
        name: "app".into(),
        public_has_temp: true,
        public_has_connect: true,
        public_schema: Some(PublicState { public_privileges: public.into(), ..PublicState::default() }),
        ..Database::default()
    };
    Observed { server, database, ..Observed::default() }
}

/// What a look finds once `desired` was applied.
pub fn as_applied(desired: &Desired, server: Server) -> Observed {
    let mut observed = untouched(server);
    if desired.public_schema != Some(PublicSchema::Keep) {
        observed.database.public_has_temp = false;
        // A CREATEROLE admin may not close a schema public that is the bootstrap superuser's.
        if observed.server.admin.owns_public
            && let Some(public) = &mut observed.database.public_schema
        {
            public.public_privileges.clear();
        }
    }
    observed.database.group = Some(Group { role: Role { administered: true, ..Role::default() }, ..Group::default() });
    if owners_want_temp(desired, &observed) {
        let role = Role { administered: true, ..Role::default() };
        observed.database.owners_group = Some(Group { role, has_temp: true, ..Group::default() });
    }
    for schema in &desired.shared_schemas {
        let shared = SharedSchema {
            owner: "admin".into(),
            group_has_usage: true,
            may_grant: true,
            may_create: true,
            acl: Acl::default(),
            ours: true,
        };
        observed.database.shared_schemas.insert(schema.clone(), shared);
    }
    for extension in &desired.extensions {
        let found = Extension { schema: desired.shared_schemas[0].clone(), ..Extension::default() };
        observed.database.extensions.insert(extension.clone(), found);
    }
    let mut registry = Registry::default();
    for (oid, tenant) in (FIRST_OID..).zip(desired.tenants.values()) {
        let registered = Registered { schema_oid: Some(oid), ..row(desired, &observed, tenant) };
        registry.tenants.insert(tenant.key.clone(), registered);
        observed.schema_names.insert(oid, tenant.schema.clone());
        let (user, owner) = roles(desired, &observed, tenant);
        for (name, can_login) in tenant.login_users().into_iter().zip([true, false]) {
            let can_login = can_login && !tenant.suspended;
            let login = Role { can_login, member_of: [Membership::plain(&tenant.username)].into(), ..user.clone() };
            let mut login = Role { members: [].into(), ..login };
            login.settings.insert("role".into(), tenant.username.clone());
            observed.roles.insert(name, login);
        }
        observed.roles.insert(tenant.username.clone(), user);
        if tenant.access != Access::Owner {
            observed.roles.insert(tenant.owner_role.clone(), owner);
        }
        let schema = Schema { oid, ..schema(desired, &observed, tenant) };
        observed.schemas.insert(tenant.schema.clone(), schema);
        let contents = tenant.password.as_ref().map(|_| contents_of(fields(desired, &observed, tenant), Some(true)));
        let secret =
            SecretState::Ours { version: "1".into(), created: None, marked: true, belongs: Belongs::Here, contents };
        observed.secrets.insert(tenant.secret_path.clone(), secret);
    }
    give_access(desired, &mut observed, &mut registry);
    observed.registry = Some(registry);
    observed
}

/// What Vault has once each tenant may read its secret.
fn give_access(desired: &Desired, observed: &mut Observed, registry: &mut Registry) {
    let Some(access) = desired.secrets.access() else { return };
    let vault = observed.vault.insert(VaultSeen { secrets_at: "secret/data".into(), ..VaultSeen::default() });
    for tenant in desired.tenants.values() {
        let path = format!("secret/data/{}", tenant.secret_path);
        let secret = Readable { tenant: &tenant.key, database: &observed.database.name, path: &path };
        for (object, contents) in access.of(secret) {
            let namespace = desired.secrets.vault_namespace();
            let registered = RegisteredVaultObject { namespace, object: object.clone() };
            registry.vault_access.entry(tenant.key.clone()).or_default().insert(registered);
            vault.objects.insert(object, contents);
        }
    }
}

/// As another look would judge: does the secret hold the password that `after` gives?
pub fn judge_given_passwords(observed: &mut Observed, before: &Desired, after: &Desired) {
    for tenant in after.tenants.values() {
        let Some(given) = &tenant.password else { continue };
        let old = before.tenants.get(&tenant.key);
        let had = old.and_then(|old| old.password.as_ref());
        let same = had.is_some_and(|had| had.expose_secret() == given.expose_secret());
        let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
        let Some(remembered) = row.map(|row| row.secret.fields.clone()) else { continue };
        if let Some(SecretState::Ours { contents, .. }) = observed.secrets.get_mut(&tenant.secret_path) {
            *contents = Some(contents_of(remembered, Some(same)));
        }
    }
}

/// As another look would find the histories, whose name is to be another one.
pub fn look_for_histories(observed: &mut Observed, before: &Desired, after: &Desired) {
    if before.migrations.table != after.migrations.table {
        for schema in observed.schemas.values_mut().filter(|schema| !matches!(schema.history, History::Absent)) {
            schema.history_called = Some(before.migrations.table.clone());
        }
    }
}

/// As a look finds a secret that nobody spoiled.
pub fn contents_of(fields: SecretFields, password_is_given_one: Option<bool>) -> SecretContents {
    SecretContents {
        fields,
        password_is_remembered_one: None,
        url_says_the_same: true,
        unusable: None,
        password_is_given_one,
    }
}

fn fields(desired: &Desired, observed: &Observed, tenant: &Tenant) -> SecretFields {
    desired.secret_fields(tenant, &observed.server, &observed.database.name, None)
}

/// What the registry says of a tenant, but for its schema's OID.
pub fn row(desired: &Desired, observed: &Observed, tenant: &Tenant) -> Registered {
    Registered {
        schema_oid: None,
        schema: tenant.schema.clone(),
        username: tenant.username.clone(),
        owner: tenant.owner().to_owned(),
        access: tenant.access,
        state: State::Active,
        on_remove: tenant.on_remove,
        protected: tenant.protected,
        suspended: tenant.suspended,
        secret: RegisteredSecret {
            store: desired.secrets.store.as_str().into(),
            place: Some(desired.secrets.place()),
            path: tenant.secret_path.clone(),
            version: Some("1".into()),
            fields: fields(desired, observed, tenant),
        },
        password_source: tenant.password_source(),
        rotation: tenant.rotation,
        declared_by: tenant.origin,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        password_changed_at: Some(jiff::Timestamp::UNIX_EPOCH),
        former_secrets: Vec::new(),
        deputy: None,
        history_table: Some(desired.migrations.table.clone()),
        deputy_at_work: false,
    }
}

fn roles(desired: &Desired, observed: &Observed, tenant: &Tenant) -> (Role, Role) {
    let group = group_role(&observed.database.name);
    let plain = Role {
        inherit: true,
        connection_limit: -1,
        member_of: [Membership::plain(group)].into(),
        administered: true,
        ..Role::default()
    };
    let mut plain_owner = plain.clone();
    if owners_want_temp(desired, observed) {
        plain_owner.member_of.insert(Membership::plain(owners_role(&observed.database.name)));
    }
    let user = if tenant.access == Access::Owner { plain_owner.clone() } else { plain };
    let members = tenant.login_users().into_iter().map(Membership::plain).collect();
    let can_login = tenant.login_users().is_empty() && !tenant.suspended;
    let mut user = Role { can_login, members, connection_limit: tenant.connection_limit, ..user };
    user.settings = tenant.settings.clone();
    let path: Vec<String> =
        std::iter::once(&tenant.schema).chain(&desired.shared_schemas).map(|name| ident(name)).collect();
    user.settings.insert("search_path".into(), path.join(", "));
    (user, plain_owner)
}

fn schema(desired: &Desired, observed: &Observed, tenant: &Tenant) -> Schema {
    let (owner, major) = (tenant.owner().to_owned(), observed.server.major());
    let user = Grantee::Role(tenant.username.clone());
    let admin = Some(Grantee::Role(observed.server.admin.name.clone())).filter(|_| !observed.server.admin.superuser);
    let with_admin = |acl: Acl, letters: &str| match &admin {
        Some(admin) => acl.with(admin.clone(), letters),
        None => acl,
    };
    let granted = |letters: &str| Acl::default().with(user.clone(), letters);
    let owned = |letters: &str| Acl::default().with(Grantee::Role(owner.clone()), letters);
    let has_tables = !desired.migrations.is_empty();
    let object = |kind: ObjectKind, builtin: Acl, count, names: &[&str]| ObjectGroup {
        kind,
        owner: owner.clone(),
        acl: builtin.with(user.clone(), object_privileges(tenant.access, kind, major)),
        columns: Vec::new(),
        count,
        examples: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let objects = [
        object(ObjectKind::Table, owned(owners_privileges(ObjectKind::Table, major)), 2, &["orders", "users"]),
        object(ObjectKind::Sequence, owned("Urw"), 1, &["users_id_seq"]),
        object(ObjectKind::Function, owned("X").with(Grantee::Public, "X"), 1, &["touch()"]),
        object(ObjectKind::Type, owned("U").with(Grantee::Public, "U"), 1, &["status"]),
    ];
    let history_acl = if tenant.access == Access::Owner {
        owned(owners_privileges(ObjectKind::Table, major))
    } else {
        owned(owners_privileges(ObjectKind::Table, major)).with(user.clone(), "r")
    };
    let applied = |file: &tenantry::migrations::MigrationFile| Applied {
        version: file.version(),
        name: file.name().into(),
        checksum: file.checksum(),
    };
    let history = if has_tables {
        History::Read {
            applied: desired.migrations.iter().map(applied).collect(),
            acl: with_admin(history_acl, "r"),
            columns: Vec::new(),
        }
    } else {
        History::Absent
    };
    let default_acl = |kind| {
        let letters = object_privileges(tenant.access, kind, major);
        (!letters.is_empty()).then(|| DefaultAcl { role: owner.clone(), kind, acl: granted(letters) })
    };
    Schema {
        acl: with_admin(owned("CU").with(user.clone(), schema_privileges(tenant.access)), "U"),
        objects: if has_tables { objects.into() } else { Vec::new() },
        default_acls: ObjectKind::ALL.into_iter().filter_map(default_acl).collect(),
        history,
        tables: if has_tables { 3 } else { 0 },
        bytes: if has_tables { 81_920 } else { 0 },
        relations: if has_tables { 8 } else { 0 },
        owner: owner.clone(),
        ..Schema::default()
    }
}
