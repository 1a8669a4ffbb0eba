//! What is inside of JSON, by its name, its index or a path to it, as PostgreSQL looks it up: the last
//! one of several values of a name, and an element of an array by a number, or by a step of a path that
//! is one. The engine's library takes the first, and a text for a number, too.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, StringBuilder},
        compute::cast,
        datatypes::DataType,
    },
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use jiter::{Jiter, Peek};

use super::arrays::elements;
use crate::arguments::argument;

/// What is looked up: `json -> key`, or `json ->> key` as text.
pub(super) fn field(json: Expr, key: Expr, as_text: bool) -> Expr {
    let function = if as_text { &FIELD_TEXT } else { &FIELD };
    function.call(vec![json, key])
}

/// What is at a path: `json #> path`, or `json #>> path` as text.
pub(super) fn at_path(json: Expr, path: Expr, as_text: bool) -> Expr {
    let function = if as_text { &PATH_TEXT } else { &PATH };
    function.call(vec![json, path])
}

static FIELD: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| access("json_field", false, false));
static FIELD_TEXT: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| access("json_field_text", false, true));
static PATH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| access("json_path", true, false));
static PATH_TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| access("json_path_text", true, true));

fn access(name: &'static str, is_path: bool, as_text: bool) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Access { name, is_path, as_text, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Access {
    name: &'static str,
    is_path: bool,
    as_text: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Access {
    fn name(&self) -> &'static str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [json, key] = types else { return plan_err!("{} takes two arguments", self.name) };
        if !json.is_string() && !json.is_null() {
            return plan_err!("Invalid function '{}' of {json}: it takes JSON as text", self.name);
        }
        let is_key = key.is_string() || key.is_null() || (key.is_integer() && !self.is_path);
        let is_path = self.is_path && matches!(key, DataType::List(_));
        if !is_key && !is_path {
            return plan_err!("Invalid function '{}' with {key} as a key", self.name);
        }
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json, key] = &called.args[..] else {
            return exec_err!("{} takes two arguments", self.name);
        };
        let is_same = called.args.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let rows = if is_same { 1 } else { called.number_rows };
        let json = cast(&json.to_array(rows)?, &DataType::Utf8View)?;
        let json = json.as_string_view();
        let mut steps = None;
        let mut found = StringBuilder::new();
        for row in 0..rows {
            if steps.is_none() || !matches!(key, ColumnarValue::Scalar(_)) {
                steps = Some(self.steps(&called.args, row)?);
            }
            let text = json.is_valid(row).then(|| json.value(row));
            match (text, &steps) {
                (Some(text), Some(Some(steps))) => self.append(text, steps, &mut found),
                _ => found.append_null(),
            }
        }
        let found: ArrayRef = Arc::new(found.finish());
        if is_same {
            return ScalarValue::try_from_array(&found, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(found))
    }
}

/// A step into JSON.
#[derive(Debug)]
enum Step {
    /// A name in an object.
    Name(String),
    /// An index in an array, from its end if it is negative.
    Index(i64),
    /// Part of a path: either, whichever there is.
    Either(String),
}

impl Access {
    /// The steps to what is looked up in a row; `None` if any is null.
    fn steps(&self, arguments: &[ColumnarValue], row: usize) -> Result<Option<Vec<Step>>> {
        let Some(key) = argument(arguments, 1, row).filter(|key| !key.is_null()) else {
            return Ok(None);
        };
        if let ScalarValue::List(list) = &key {
            let texts = cast(&list.value(0), &DataType::Utf8)?;
            let steps = texts.as_string::<i32>().iter();
            return Ok(steps.map(|step| Some(Step::Either(step?.to_owned()))).collect());
        }
        match key.try_as_str().flatten() {
            Some(path) if self.is_path => {
                Ok(elements(path)?.into_iter().map(|step| Some(Step::Either(step?))).collect())
            }
            Some(name) => Ok(Some(vec![Step::Name(name.to_owned())])),
            None => match crate::arguments::number(&key) {
                Some(index) => Ok(Some(vec![Step::Index(index)])),
                // Larger than any array.
                None => Ok(None),
            },
        }
    }

    fn append(&self, json: &str, steps: &[Step], found: &mut StringBuilder) {
        let Some((mut rest, peek)) = find(json, steps) else { return found.append_null() };
        let start = rest.current_index();
        match peek {
            Peek::Null if self.as_text => found.append_null(),
            Peek::String if self.as_text => found.append_option(rest.known_str().ok()),
            _ => {
                let value =
                    rest.known_skip(peek).ok().and_then(|()| json.get(start..rest.current_index()));
                found.append_option(value);
            }
        }
    }
}

/// Goes to where steps lead.
fn find<'j>(json: &'j str, steps: &[Step]) -> Option<(Jiter<'j>, Peek)> {
    let mut rest = Jiter::new(json.as_bytes());
    let mut peek = rest.peek().ok()?;
    for step in steps {
        (rest, peek) = match (step, peek) {
            (Step::Name(name) | Step::Either(name), Peek::Object) => last_of(rest, name)?,
            (Step::Index(index), Peek::Array) => nth_of(rest, *index)?,
            (Step::Either(index), Peek::Array) => nth_of(rest, index.trim().parse().ok()?)?,
            _ => return None,
        };
    }
    Some((rest, peek))
}

/// Goes to the last value of a name in an object.
fn last_of<'j>(mut object: Jiter<'j>, name: &str) -> Option<(Jiter<'j>, Peek)> {
    let mut last = None;
    let mut is_there = object.known_object().ok()?.map(|key| key == name);
    while let Some(is_it) = is_there {
        if is_it {
            last = Some(object.clone());
        }
        object.next_skip().ok()?;
        is_there = object.next_key().ok()?.map(|key| key == name);
    }
    let mut value = last?;
    let peek = value.peek().ok()?;
    Some((value, peek))
}

/// Goes to an element of an array.
fn nth_of(array: Jiter<'_>, index: i64) -> Option<(Jiter<'_>, Peek)> {
    let index = match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => {
            let mut counted = array.clone();
            let mut count = 0_usize;
            let mut next = counted.known_array().ok()?;
            while let Some(element) = next {
                counted.known_skip(element).ok()?;
                count += 1;
                next = counted.array_step().ok()?;
            }
            count.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
        }
    };
    let mut array = array;
    let mut element = array.known_array().ok()??;
    for _ in 0..index {
        array.known_skip(element).ok()?;
        element = array.array_step().ok()??;
    }
    Some((array, element))
}
