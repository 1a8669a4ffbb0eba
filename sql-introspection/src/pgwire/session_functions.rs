//! Functions whose answers depend on the session, which the engine does not know: their calls are
//! replaced by the answers before a query is planned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Statement, Value,
    visit_expressions_mut,
};

use crate::{error::SqlError, session_settings::SessionSettings};

/// Functions that return who has connected. Written without parentheses.
const USER: [&str; 4] = ["current_user", "session_user", "current_role", "user"];

/// Replaces the calls in a statement.
///
/// # Errors
/// Returns an error if a setting does not exist, or cannot have a value.
pub(super) fn answer(
    statement: &mut Statement,
    user: &str,
    settings: &mut SessionSettings,
) -> Result<(), SqlError> {
    let answered = visit_expressions_mut(statement, |expr| {
        match answer_to(expr, user, settings) {
            Ok(Some(value)) => *expr = Expr::Value(value.into()),
            Ok(None) => (),
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    });
    match answered {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn answer_to(
    expr: &Expr,
    user: &str,
    settings: &mut SessionSettings,
) -> Result<Option<Value>, SqlError> {
    let text = |text: String| Ok(Some(Value::SingleQuotedString(text)));
    if let Expr::Identifier(name) = expr {
        let is_user = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("user");
        return if is_user { text(user.to_owned()) } else { Ok(None) };
    }
    let Expr::Function(Function { name, args, .. }) = expr else { return Ok(None) };
    let name = name.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    if USER.contains(&name) {
        return text(user.to_owned());
    }
    let arguments: Vec<_> = match args {
        FunctionArguments::List(list) => list.args.iter().filter_map(literal).collect(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => return Ok(None),
    };
    match (name, &arguments[..]) {
        ("current_setting", [Value::SingleQuotedString(name)]) => {
            text(settings.show(&name.to_lowercase())?)
        }
        ("current_setting", [Value::SingleQuotedString(name), Value::Boolean(true)]) => {
            let shown = settings.show(&name.to_lowercase());
            Ok(Some(shown.map_or(Value::Null, Value::SingleQuotedString)))
        }
        ("set_config", [Value::SingleQuotedString(name), Value::SingleQuotedString(value), _]) => {
            settings.set(name.to_lowercase(), value.clone())?;
            text(value.clone())
        }
        _ => Ok(None),
    }
}

fn literal(argument: &FunctionArg) -> Option<&Value> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(&value.value),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => None,
    }
}
