//! What `\d` asks: `information_schema`, which every server with SQL has, and for descriptions
//! `pg_catalog`.

use crate::sql_text;

/// The statement that lists the tables.
pub(crate) const TABLES: &str = "\
    select table_schema as schema, table_name as table, table_type as type \
    from information_schema.tables \
    where table_schema not in ('information_schema', 'pg_catalog') order by 1, 2";

/// The statement that lists all columns, for completion.
pub(crate) const COLUMNS: &str = "\
    select table_schema, table_name, column_name from information_schema.columns";

/// The statement that lists the columns of a table, which may be written with its schema.
pub(crate) fn table(name: &str) -> String {
    format!(
        "select column_name as column, data_type as type, is_nullable as nullable \
         from information_schema.columns where {} order by table_schema, ordinal_position",
        is_table(name)
    )
}

/// The same with descriptions of the columns.
pub(crate) fn documented_table(name: &str) -> String {
    format!(
        "select c.column_name as column, c.data_type as type, c.is_nullable as nullable, \
         d.description from information_schema.columns c \
         left join pg_catalog.pg_namespace n on n.nspname = c.table_schema \
         left join pg_catalog.pg_class r on r.relname = c.table_name and r.relnamespace = n.oid \
         left join pg_catalog.pg_description d on d.objoid = r.oid and d.objsubid = c.ordinal_position \
         where {} order by c.table_schema, c.ordinal_position",
        is_table(name)
    )
}

/// The condition on columns that they are those of a table.
fn is_table(name: &str) -> String {
    match name.split_once('.') {
        Some((schema, table)) => {
            format!("table_name = {} and table_schema = {}", literal(table), literal(schema))
        }
        None => format!("table_name = {}", literal(name)),
    }
}

/// A name as a literal: in lower case, unless it is quoted.
fn literal(name: &str) -> String {
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let name = quoted.map_or_else(|| name.to_lowercase(), |name| name.replace("\"\"", "\""));
    sql_text::literal(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_literals_in_lower_case_unless_they_are_quoted() {
        assert!(table("State").contains("table_name = 'state' order"));
        assert!(table("\"A\"\"b'c\"").contains("table_name = 'A\"b''c' order"));
        let qualified = "table_name = 'pg_class' and table_schema = 'pg_catalog' order";
        assert!(table("pg_catalog.pg_class").contains(qualified));
    }
}
