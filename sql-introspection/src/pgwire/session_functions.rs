//! Functions whose answers depend on the session: their calls are replaced by the answers before a
//! query is planned. Settings are asked and changed when it runs, but for those that say which rows a
//! function in FROM has: the engine wants to know that when it plans.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Statement, TableFactor, Value,
    VisitMut, VisitorMut, visit_expressions_mut,
};

use crate::{
    dialect::setting_functions::CURRENT_SETTING, error::SqlError, session_settings::SessionSettings,
};

/// Functions that return who has connected. Written without parentheses.
const USER: [&str; 4] = ["current_user", "session_user", "current_role", "user"];

/// Replaces the calls in a statement.
///
/// # Errors
/// Returns an error if a setting does not exist.
pub(super) fn answer(
    statement: &mut Statement,
    user: &str,
    settings: &SessionSettings,
) -> Result<(), SqlError> {
    match statement.visit(&mut Answers { user, settings }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Answers<'a> {
    user: &'a str,
    settings: &'a SessionSettings,
}

impl VisitorMut for Answers<'_> {
    type Break = Box<SqlError>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<SqlError>> {
        let is_function = matches!(
            factor,
            TableFactor::Table { args: Some(_), .. }
                | TableFactor::Function { .. }
                | TableFactor::TableFunction { .. }
                | TableFactor::UNNEST { .. }
        );
        if !is_function {
            return ControlFlow::Continue(());
        }
        visit_expressions_mut(factor, |expr| {
            let Some(name) = setting(expr) else { return ControlFlow::Continue(()) };
            match self.settings.show(name) {
                Ok(value) => *expr = text(value),
                Err(error) => return ControlFlow::Break(Box::new(error)),
            }
            ControlFlow::Continue(())
        })
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<SqlError>> {
        if is_user(expr) {
            *expr = text(self.user.to_owned());
        }
        ControlFlow::Continue(())
    }
}

fn text(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).into())
}

fn is_user(expr: &Expr) -> bool {
    if let Expr::Identifier(name) = expr {
        return name.quote_style.is_none() && name.value.eq_ignore_ascii_case("user");
    }
    call(expr).is_some_and(|(name, _)| USER.contains(&name.as_str()))
}

/// The setting whose value a call returns.
fn setting(expr: &Expr) -> Option<&str> {
    let (name, FunctionArguments::List(list)) = call(expr)? else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(setting)))] = &list.args[..] else {
        return None;
    };
    let Value::SingleQuotedString(setting) = &setting.value else { return None };
    (name == CURRENT_SETTING).then_some(setting)
}

/// Name and arguments of a call.
fn call(expr: &Expr) -> Option<(String, &FunctionArguments)> {
    let Expr::Function(Function { name, args, .. }) = expr else { return None };
    let name = name.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").map_or_else(|| name.clone(), str::to_owned);
    Some((name, args))
}
