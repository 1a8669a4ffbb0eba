//! Changes what clients ask of the catalogue into what the engine understands.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, Function, FunctionArguments, ObjectName, Query,
    Statement, Value, visit_expressions_mut, visit_relations,
};

/// Rewrites a statement.
pub(crate) fn rewrite(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        if let Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. }) =
            expr
            && name.to_string().eq_ignore_ascii_case("array")
            && is_of_catalogue(query)
        {
            *expr = no_texts();
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Whether a query reads only what describes the database. Where clients make an array of that, of
/// the members of roles or the options of tables, there is nothing here.
fn is_of_catalogue(query: &Query) -> bool {
    let is_foreign = |name: &ObjectName| {
        let name = name.to_string().to_lowercase();
        let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        if name.starts_with("pg_") || name == "unnest" {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    visit_relations(query, is_foreign).is_continue()
}

fn no_texts() -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::Null.into())),
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None)),
        array: false,
        format: None,
    }
}
