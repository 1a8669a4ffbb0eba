//! Text split into statements, which end with a semicolon, and commands, which begin with a
//! backslash and end with their line. Neither character counts within quotes and comments.

/// A part of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A statement in SQL, without its semicolon.
    Statement(&'a str),
    /// A command, with its backslash.
    Command(&'a str),
}

/// A script, split.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script<'a> {
    /// What is complete.
    pub(crate) steps: Vec<Step<'a>>,
    /// A statement that has begun and has no end; empty if there is none.
    pub(crate) rest: &'a str,
}

impl<'a> Script<'a> {
    /// Splits a text.
    pub(crate) fn of(text: &'a str) -> Self {
        let mut steps = Vec::new();
        // Where the current statement begins, and whether it consists of more than comments.
        let (mut begin, mut has_code) = (0, false);
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            let rest = &text[at..];
            if let Some(length) = comment(rest) {
                // A comment before a statement is not sent with it.
                at += length;
                begin = if has_code { begin } else { at };
                continue;
            }
            match next {
                ';' | '\\' => {
                    if has_code {
                        steps.push(Step::Statement(text[begin..at].trim()));
                    }
                    has_code = false;
                    at += if next == ';' { 1 } else { line(rest) };
                    if next == '\\' {
                        steps.push(Step::Command(rest[..line(rest)].trim()));
                    }
                    begin = at;
                }
                it if it.is_whitespace() => at += it.len_utf8(),
                it => {
                    has_code = true;
                    at += quoted(&text[..at], rest).unwrap_or_else(|| it.len_utf8());
                }
            }
        }
        Self { steps, rest: if has_code { text[begin..].trim() } else { "" } }
    }

    /// All steps, if the end of the text ends the last statement, too.
    pub(crate) fn all(mut self) -> Vec<Step<'a>> {
        let last = Some(self.rest).filter(|rest| !rest.is_empty());
        self.steps.extend(last.map(Step::Statement));
        self.steps
    }
}

/// The length of the first line, without its end.
fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// The length of the comment that the text begins with. One in stars may contain others.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("--") {
        return Some(line(text));
    }
    text.strip_prefix("/*")?;
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let bytes = &text.as_bytes()[at..];
        if bytes.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// The length of the quoted text at the beginning, up to the end if it has no other. `before` is
/// what comes before it: an `E` allows backslashes, and a dollar within a word quotes nothing.
fn quoted(before: &str, text: &str) -> Option<usize> {
    let is_word = |it: char| it.is_alphanumeric() || "_$".contains(it);
    let word = &before[before.trim_end_matches(is_word).len()..];
    let quote = text.chars().next()?;
    let (open, close) = match quote {
        // A doubled quote ends one quoted text and begins another, which comes to the same.
        '\'' | '"' => (1, text[..1].to_owned()),
        '$' if word.is_empty() => {
            let tag = text[1..].find(|it| !is_word(it) || it == '$')?;
            let is_tag = text[1 + tag..].starts_with('$')
                && !text[1..].starts_with(|it: char| it.is_ascii_digit());
            (is_tag.then_some(tag + 2)?, text[..tag + 2].to_owned())
        }
        _ => return None,
    };
    let has_escapes = quote == '\'' && word.eq_ignore_ascii_case("e");
    let mut at = open;
    while at < text.len() && !text[at..].starts_with(&close) {
        let next = text[at..].chars().next()?;
        at += next.len_utf8();
        if next == '\\' && has_escapes {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Some((at + close.len()).min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<&str> {
        let script = Script::of(text);
        let steps: Vec<&str> = script
            .steps
            .iter()
            .map(|step| match *step {
                Step::Statement(it) | Step::Command(it) => it,
            })
            .collect();
        steps.into_iter().chain([script.rest]).collect()
    }

    #[test]
    fn statements_end_with_a_semicolon() {
        assert_eq!(statements("select 1; select 2 ;\n"), ["select 1", "select 2", ""]);
        assert_eq!(statements(" select\n1"), ["select\n1"]);
        assert_eq!(statements(";; ;"), [""]);
    }

    #[test]
    fn quotes_and_comments_may_contain_anything() {
        for whole in [
            "select ';', 'it''s;', \"a;\"\"b\"",
            "select E'\\';', e'\\\\'",
            "select $$;'$$, $tag$ $$; $tag$",
            "select 1 -- ;\n + 1",
            "select 1 /* ; /* ; */ ; */ + 1",
            "select ';\\q'",
        ] {
            assert_eq!(statements(&format!("{whole}; x")), [whole, "x"]);
        }
        // Not quotes: a backslash without an E, parameters, dollars within a word.
        assert_eq!(statements("select '\\'; x"), ["select '\\'", "x"]);
        assert_eq!(statements("select $1, a$b$; x"), ["select $1, a$b$", "x"]);
    }

    #[test]
    fn what_is_still_open_is_the_rest() {
        for open in [
            "select ';",
            "select \"a;",
            "select $$;",
            "select 1 /* ;",
            "select E'\\';",
            "select '漢;",
        ] {
            assert_eq!(statements(&format!("x; {open}")), ["x", open]);
        }
        assert_eq!(Script::of("select 1; select 2").all().len(), 2);
    }

    #[test]
    fn any_text_can_be_split() {
        let alphabet = ["a", "E", "'", "\"", "$", "\\", ";", "--", "/*", "*/", "\n", "漢"];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            let longer = |text: String| alphabet.map(|it| text.clone() + it);
            texts = texts.into_iter().flat_map(longer).collect();
            for text in &texts {
                for step in Script::of(text).all() {
                    let (Step::Statement(part) | Step::Command(part)) = step;
                    assert!(!part.is_empty() && text.contains(part), "{text:?}: {part:?}");
                }
            }
        }
    }

    #[test]
    fn comments_alone_are_nothing() {
        assert_eq!(statements("-- a;\n/* b; */"), [""]);
        assert_eq!(statements("-- a\nselect 1;"), ["select 1", ""]);
    }

    #[test]
    fn a_command_ends_with_its_line_and_ends_the_statement_before_it() {
        let script = Script::of("select 1 \\watch 3 ; x\n\\d a\nselect 2");
        let steps =
            [Step::Statement("select 1"), Step::Command("\\watch 3 ; x"), Step::Command("\\d a")];
        assert_eq!(script, Script { steps: steps.to_vec(), rest: "select 2" });
    }
}
