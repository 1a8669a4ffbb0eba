//! What `psql` shows about the tables.

use crate::psql::Rig;

#[tokio::test]
async fn psql_describes_databases_schemas_tables_and_columns() {
    let rig = Rig::start(&[]).await;
    let tables = rig.psql("\\dt+");
    for table in ["state", "sys_invocation", "sys_journal", "sys_inbox", "sys_promise", "sys_wait"]
    {
        assert!(tables.contains(&format!(" {table} ")), "{table}: {tables}");
    }
    assert!(tables.contains("Journals: a row for each entry."), "{tables}");

    let columns = rig.psql("\\d sys_invocation");
    for column in ["id ", "target_service_name", "created_at ", "completion_retention ", "status "]
    {
        assert!(columns.contains(&format!(" {column}")), "{column}: {columns}");
    }
    assert!(columns.contains("timestamp with time zone"), "{columns}");
    let described = rig.psql("\\d+ sys_invocation");
    assert!(described.contains("backing-off: waits for its next attempt"), "{described}");

    assert!(rig.psql("\\l").contains(" abide "));
    assert!(rig.psql("\\dn").contains(" public "));
    for command in ["\\d", "\\du", "\\dv", "\\di", "\\df json*", "\\conninfo"] {
        let said = rig.psql(command);
        assert!(!said.contains("ERROR"), "{command}: {said}");
    }
    let counted = rig.psql("select count(*), current_schema() from sys_service");
    assert!(counted.contains(" count | current_schema "), "{counted}");
    let expanded = rig.psql("\\x\nselect name, ty from sys_service order by name limit 1");
    assert!(!expanded.contains("ERROR"), "{expanded}");
}

#[tokio::test]
async fn every_column_of_every_table_can_be_read_and_has_a_comment() {
    let rig = Rig::start(&[]).await;
    let tables =
        rig.rows("select table_name from information_schema.tables where table_schema = 'public'");
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables.concat() {
        let rows = rig.psql(&format!("select * from {table} limit 2"));
        assert!(rows.contains(" row"), "{table}: {rows}");
        let undocumented = rig.rows(&format!(
            "select attname from pg_catalog.pg_attribute a, pg_catalog.pg_class c \
             where a.attrelid = c.oid and c.relname = '{table}' \
             and col_description(c.oid, a.attnum) is null"
        ));
        assert!(undocumented.is_empty(), "{table}: {undocumented:?}");
    }
}
