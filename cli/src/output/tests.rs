//! Rows in each format, as bytes.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, Float64Array, Int64Array, ListArray, NullArray, StringArray,
        TimestampMillisecondArray, TimestampNanosecondArray, UnionArray,
    },
    buffer::ScalarBuffer,
    datatypes::{DataType, Field, Int64Type, UnionFields},
};

use super::*;

/// A batch with these columns.
fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, it)| (name, it, true))).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn written(format: Format, batches: &[RecordBatch]) -> String {
    written_into(format, batches, None)
}

fn written_into(format: Format, batches: &[RecordBatch], space: Option<Space<'_>>) -> String {
    let mut bytes = Vec::new();
    let mut output = begin(format, batches[0].schema_ref(), space, &mut bytes).unwrap();
    for batch in batches {
        output.rows(batch).unwrap();
    }
    output.end().unwrap();
    drop(output);
    String::from_utf8(bytes).unwrap()
}

/// Two rows of every kind of value.
fn values() -> RecordBatch {
    let at = 1_700_000_000_123;
    batch([
        ("n", numbers([1, 12345])),
        ("text", texts(&[Some(""), Some("a,\"b\"")])),
        ("maybe", texts(&[None, Some("x\ny")])),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(b"a\xff".as_slice()), None]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![at, 0]).with_timezone("+00:00"))),
        ("at_utc", Arc::new(TimestampNanosecondArray::from(vec![at * 1_000_000, 0]))),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
                Some(vec![Some(1), None]),
                Some(vec![]),
            ])),
        ),
        ("float", Arc::new(Float64Array::from(vec![1.5, -2.0]))),
        ("none", Arc::new(NullArray::new(2))),
    ])
}

#[test]
fn a_table_aligns_its_columns() {
    let expected = concat!(
        "     n | text  | maybe | bytes  | at                       | at_utc                   | list      | float | none\n",
        "-------+-------+-------+--------+--------------------------+--------------------------+-----------+-------+------\n",
        "     1 |       | NULL  | \\x61ff | 2023-11-14T22:13:20.123Z | 2023-11-14T22:13:20.123Z | [1, NULL] |   1.5 | NULL\n",
        " 12345 | a,\"b\" | x\\ny  | NULL   | 1970-01-01T00:00:00Z     | 1970-01-01T00:00:00Z     | []        |  -2.0 | NULL\n",
        "(2 rows)\n",
    );
    assert_eq!(written(Format::Table, &[values()]), expected);
}

#[test]
fn a_table_that_has_to_fit_says_what_it_leaves_out() {
    let rows = batch([
        ("id", texts(&[Some("inv_1aaaaaaaaaaaaaaaaaaa"), Some("inv_1bbbbbbbbbbbbbbbbbbb")])),
        ("since", texts(&[Some("2026-01-01T10:00:00Z"), None])),
        ("failure", texts(&[Some("[500] the warehouse does not answer"), None])),
        ("next", texts(&[None, None])),
    ]);
    let written = |width| {
        written_into(
            Format::Table,
            std::slice::from_ref(&rows),
            Some(Space { width, least: &["since"] }),
        )
    };
    let expected = concat!(
        " id                       | failure\n",
        "--------------------------+---------------------\n",
        " inv_1aaaaaaaaaaaaaaaaaaa | [500] the warehous…\n",
        " inv_1bbbbbbbbbbbbbbbbbbb | NULL\n",
        "(too wide for since, next: -x shows all columns)\n",
        "(2 rows)\n",
    );
    assert_eq!(written(48), expected);
    for width in [60, 80, 100, 120] {
        let table = written(width);
        let widest = table.lines().map(text::width).max();
        assert!(widest <= Some(width), "{width}: {widest:?}\n{table}");
    }
    assert!(written(120).contains("does not answer | NULL"), "it fits: {}", written(120));
}

#[test]
fn an_empty_table_has_its_columns() {
    let empty = batch([("a", numbers([])), ("bc", texts(&[]))]);
    assert_eq!(written(Format::Table, &[empty]), " a | bc\n---+----\n(0 rows)\n");
}

#[test]
fn wide_characters_are_aligned_and_control_characters_are_not_obeyed() {
    let rows = batch([
        ("a\u{1b}[2J", texts(&[Some("漢字"), Some("\u{1b}]0;title\u{7}")])),
        ("b", texts(&[Some("🦀"), Some("\u{9b}A")])),
    ]);
    let expected = concat!(
        " a\\x1b[2J         | b\n",
        "------------------+-------\n",
        " 漢字             | 🦀\n",
        " \\x1b]0;title\\x07 | \\x9bA\n",
        "(2 rows)\n",
    );
    assert_eq!(written(Format::Table, std::slice::from_ref(&rows)), expected);
    assert!(!written(Format::Expanded, &[rows]).contains(['\u{1b}', '\u{9b}', '\u{7}']));
}

#[test]
fn a_long_table_keeps_the_widths_of_its_first_rows() {
    let narrow = batch([("n", numbers(1..=999)), ("t", texts(&[Some("x"); 999]))]);
    let wide = batch([("n", numbers([1_000, 1_000_000])), ("t", texts(&[Some("y"); 2]))]);
    let table = written(Format::Table, &[narrow, wide]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[..3], ["    n | t", "------+---", "    1 | x"]);
    assert_eq!(lines[1001..], [" 1000 | y", " 1000000 | y", "(1001 rows)"]);
}

#[test]
fn one_long_text_does_not_pad_the_other_rows() {
    let long = "x".repeat(10_000);
    let table = written(
        Format::Table,
        &[batch([("a", texts(&[Some(&long), Some("y")])), ("b", texts(&[Some("1"), Some("2")]))])],
    );
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[2], format!(" {long} | 1"));
    assert!(lines[3].len() < 200, "{}", lines[3].len());
}

#[test]
fn expanded_rows_have_a_line_for_each_column() {
    let rows = batch([("a", numbers([1, 2])), ("long", texts(&[None, Some("x")]))]);
    let expected = concat!(
        "-[ row 1 ]-\na    | 1\nlong | NULL\n",
        "-[ row 2 ]-\na    | 2\nlong | x\n",
        "(2 rows)\n",
    );
    assert_eq!(written(Format::Expanded, &[rows]), expected);
}

#[test]
fn csv_tells_null_from_the_empty_string() {
    let expected = concat!(
        "n,text,maybe,bytes,at,at_utc,list,float,none\n",
        "1,\"\",,\\x61ff,2023-11-14T22:13:20.123Z,2023-11-14T22:13:20.123Z,\"[1, NULL]\",1.5,\n",
        "12345,\"a,\"\"b\"\"\",\"x\ny\",,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,[],-2.0,\n",
    );
    assert_eq!(written(Format::Csv, &[values()]), expected);
}

#[test]
fn json_is_one_array_with_a_line_for_each_row() {
    let expected = concat!(
        r#"[{"n":1,"text":"","maybe":null,"bytes":"61ff","at":"2023-11-14T22:13:20.123Z","#,
        r#""at_utc":"2023-11-14T22:13:20.123Z","list":[1,null],"float":1.5,"none":null},"#,
        "\n",
        r#"{"n":12345,"text":"a,\"b\"","maybe":"x\ny","bytes":null,"at":"1970-01-01T00:00:00Z","#,
        r#""at_utc":"1970-01-01T00:00:00Z","list":[],"float":-2.0,"none":null}]"#,
        "\n",
    );
    assert_eq!(written(Format::Json, &[values()]), expected);
    let [one, other] = [[1], [2]].map(|it| batch([("a", numbers(it))]));
    assert_eq!(written(Format::Json, &[one, other]), "[{\"a\":1},\n{\"a\":2}]\n");
    assert_eq!(written(Format::Json, &[batch([("a", numbers([]))])]), "[]\n");
}

#[test]
fn json_that_ends_early_is_not_closed() {
    let rows = batch([("a", numbers([1]))]);
    let mut bytes = Vec::new();
    begin(Format::Json, rows.schema_ref(), None, &mut bytes).unwrap().rows(&rows).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), "[{\"a\":1}");
}

/// `{"a": null}`, `{"a": 7}`, `{"a": "x\"y"}` and `{"a": [1]}`, each `-> 'a'`.
#[test]
fn json_values_are_shown_as_json() {
    let fields = [("null", DataType::Null), ("int", DataType::Int64), ("str", DataType::Utf8)];
    let fields = fields.into_iter().chain([("array", DataType::Utf8)]);
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
    let members: Vec<ArrayRef> = vec![
        Arc::new(NullArray::new(4)),
        numbers([0, 7, 0, 0]),
        texts(&[Some(""), Some(""), Some("x\"y"), Some("")]),
        texts(&[Some(""), Some(""), Some(""), Some("[1]")]),
    ];
    let ids = ScalarBuffer::from(vec![0i8, 1, 2, 3]);
    let fields = UnionFields::try_new(0..4, fields).unwrap();
    let values = UnionArray::try_new(fields, ids, None, members).unwrap();
    let rows = batch([("j", Arc::new(values))]);
    let expected = " j\n--------\n NULL\n 7\n \"x\\\"y\"\n [1]\n(4 rows)\n";
    assert_eq!(written(Format::Table, std::slice::from_ref(&rows)), expected);
    let expected = concat!(
        r#"[{"j":null},"#,
        "\n",
        r#"{"j":"7"},"#,
        "\n",
        r#"{"j":"\"x\\\"y\""},"#,
        "\n",
        r#"{"j":"[1]"}]"#,
        "\n",
    );
    assert_eq!(written(Format::Json, &[rows]), expected);
}

/// A pipe whose reader has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_format_notices_that_its_reader_has_gone() {
    for format in [Format::Table, Format::Expanded, Format::Json, Format::Csv] {
        let show = || -> Result<(), OutputError> {
            let mut gone = Gone;
            let mut output = begin(format, values().schema_ref(), None, &mut gone)?;
            output.rows(&values())?;
            output.end()
        };
        assert!(show().unwrap_err().is_reader_gone(), "{format:?}");
    }
}
