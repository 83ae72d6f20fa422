//! What a run does of a plan, one step that a crash can follow after another: as src/engine/apply/{tenant,switch,after}.rs have it.

use tenantry::model::Rotation;
use tenantry::plan::action::{Attribute, WriteSecret};
use tenantry::plan::{Change, EndState, PasswordOrigin, TenantPlan};

use super::world::{Login, Password, Row, Standing, Stored, World, number};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `after_locked_out`
    LockOut(Vec<usize>),
    /// `after_changes`
    Changes(Vec<Effect>),
    /// `after_secret`, `after_secret_is_switched`
    WriteSecret { expected: Option<u8>, named: usize, password: Password },
    /// The version just written goes into the registry's row, in the transaction that is open.
    NoteVersion,
    /// `after_commit`, `after_switch_is_noted`
    Commit,
    /// `after_secret_deleted`
    DeleteSecret(u8),
    /// What is gone leaves the registry.
    Forget,
}

/// Something that a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    Create(usize, Login),
    SetPassword(usize, Password),
    SetLogin(usize, bool),
    Drop(usize),
    Schema(bool),
    Register(Row),
    Named { named: usize, two: bool },
    Stands(Standing),
}

impl Effect {
    pub fn on(&self, world: &mut World) {
        match self {
            Self::Create(role, login) => world.roles[*role] = Some(*login),
            Self::SetPassword(role, password) => world.roles[*role].as_mut().unwrap().password = Some(*password),
            Self::SetLogin(role, can_login) => world.roles[*role].as_mut().unwrap().can_login = *can_login,
            Self::Drop(role) => world.roles[*role] = None,
            Self::Schema(is_there) => world.schema = *is_there,
            Self::Register(row) => world.row = Some(row.clone()),
            Self::Named { named, two } => {
                let row = world.row.as_mut().unwrap();
                (row.named, row.two) = (*named, *two);
            }
            Self::Stands(standing) => world.row.as_mut().unwrap().standing = *standing,
        }
    }
}

/// The steps of this plan in this world. `None`: it does nothing.
pub fn steps(plan: &TenantPlan, world: &World) -> Vec<Step> {
    let phases = &plan.phases;
    let password = delivered(plan, world);
    let mut steps = Vec::new();
    steps
        .extend(phases.lock_out.iter().map(|lock| Step::LockOut(lock.roles.iter().map(|role| number(role)).collect())));
    let mut effects: Vec<Effect> = phases.transaction.iter().flat_map(|change| effects(change, password)).collect();
    effects.extend(registered(plan));
    steps.push(Step::Changes(effects));
    if let Some(write) = &phases.secret {
        steps.extend([written(write, password), Step::NoteVersion]);
    }
    steps.push(Step::Commit);
    if let Some(switch) = &phases.switch {
        steps.push(written(&switch.secret, password));
        let two = switch.rotation == Rotation::TwoUser;
        let mut note = vec![Effect::Named { named: number(&switch.secret.fields.username), two }];
        note.extend(switch.then.iter().flat_map(|change| self::effects(change, password)));
        steps.extend([Step::Changes(note), Step::NoteVersion, Step::Commit]);
    }
    steps.extend(phases.deletes_secrets().map(|delete| Step::DeleteSecret(delete.expected.parse().unwrap())));
    if matches!(plan.target, EndState::Removed { .. } | EndState::Retained { .. }) {
        steps.push(Step::Forget);
    }
    steps
}

fn delivered(plan: &TenantPlan, world: &World) -> Option<Password> {
    match plan.target.delivers()?.1 {
        PasswordOrigin::Generated => Some(world.new_password()),
        PasswordOrigin::Stored { version, .. } => {
            let secret: &Stored = world.secret.as_ref().unwrap();
            assert_eq!(*version, secret.version.to_string());
            Some(secret.password)
        }
        PasswordOrigin::Untouched => None,
        other => panic!("{other:?}"),
    }
}

fn written(write: &WriteSecret, password: Option<Password>) -> Step {
    let expected = write.expected.as_ref().map(|version| version.parse().unwrap());
    Step::WriteSecret { expected, named: number(&write.fields.username), password: password.unwrap() }
}

fn effects(change: &Change, delivered: Option<Password>) -> Vec<Effect> {
    let is_ours = |role: &str| super::world::ROLES.contains(&role);
    match change {
        Change::CreateRole(create) => {
            let password = delivered.filter(|_| create.login);
            assert_eq!(create.login, password.is_some());
            vec![Effect::Create(number(&create.role), Login { can_login: create.login, password })]
        }
        Change::SetPassword(set) => vec![Effect::SetPassword(number(&set.role), delivered.unwrap())],
        Change::AlterRole(alter) if is_ours(&alter.role) => {
            let of = |attribute: &Attribute| match attribute {
                Attribute::Login => Some(Effect::SetLogin(number(&alter.role), true)),
                Attribute::Without("LOGIN") => Some(Effect::SetLogin(number(&alter.role), false)),
                _ => None,
            };
            alter.attributes.iter().filter_map(of).collect()
        }
        Change::DropRole(drop) if is_ours(&drop.role) => vec![Effect::Drop(number(&drop.role))],
        Change::CreateSchema(_) => vec![Effect::Schema(true)],
        Change::DropSchema(_) => vec![Effect::Schema(false)],
        _ => Vec::new(),
    }
}

/// What the transaction writes to the registry's row: src/engine/apply/record.rs.
fn registered(plan: &TenantPlan) -> Option<Effect> {
    match &plan.target {
        EndState::None => None,
        EndState::Declared { tenant, secret_version, fields, .. } => {
            let drops_users = plan.phases.switch.as_ref().is_some_and(|switch| switch.drops_users());
            Some(Effect::Register(Row {
                standing: Standing::Active,
                two: drops_users || tenant.rotation == Rotation::TwoUser,
                version: secret_version.as_ref().map(|version| version.parse().unwrap()),
                named: number(&fields.username),
            }))
        }
        EndState::Rotated { .. } if plan.phases.switch.is_some() => None,
        EndState::Rotated { tenant, fields } => {
            Some(Effect::Named { named: number(&fields.username), two: tenant.rotation == Rotation::TwoUser })
        }
        EndState::Removed { .. } => Some(Effect::Stands(Standing::Removed)),
        EndState::Retained { .. } => Some(Effect::Stands(Standing::Retained)),
    }
}
