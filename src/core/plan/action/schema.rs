//! The tenant's schema.

use super::view::{Action, Kind};
use crate::core::model::ident;
use crate::core::plan::statement::{Sql, statements};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSchema {
    pub schema: String,
    pub owner: String,
}

impl Action for CreateSchema {
    fn kind(&self) -> Kind {
        Kind::CreateSchema
    }

    fn what(&self) -> String {
        format!("schema {}", self.schema)
    }

    fn after(&self) -> Option<String> {
        Some(format!("owner {}", self.owner))
    }

    fn sql(&self) -> Vec<Sql> {
        statements([format!("CREATE SCHEMA {} AUTHORIZATION {}", ident(&self.schema), ident(&self.owner))])
    }
}
