#[derive(Clone, Debug, Default)]
pub struct VaultConfig;
