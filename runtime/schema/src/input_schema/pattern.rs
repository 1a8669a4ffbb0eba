//! How much work a regular expression makes: matching takes time in proportion to the length of a text
//! times the number of states, and `a{1000}` has a thousand of them.

use regex_syntax::ast::{
    Ast, ClassBracketed, ClassSet, ClassSetItem, RepetitionKind, RepetitionRange, parse::Parser,
};

/// What even the smallest pattern counts as: a mismatch repeats the text in its message.
const STATES_MIN: u64 = 20;
/// States of a class of any characters: each takes up to four bytes.
const CLASS_STATES: u64 = 8;
/// States of a class of Unicode, such as `\p{L}`.
const UNICODE_STATES: u64 = 300;
/// By how much flags such as `(?i)` may multiply states.
const FLAGS_FACTOR: u64 = 10;

/// The weight of a pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// About how many states it compiles to.
    pub(super) states: u64,
    /// How many bytes are parsed to compile it: all of it again for each class such as `\d`.
    pub(super) parsed: u64,
}

/// Weighs a pattern.
///
/// # Errors
/// Returns why it is not one.
pub(super) fn weigh(pattern: &str) -> Result<Weight, String> {
    let ast = Parser::new().parse(pattern).map_err(|error| error.kind().to_string())?;
    let mut count = Count::default();
    let states = count.states(&ast);
    let factor = if count.has_flags { FLAGS_FACTOR } else { 1 };
    let states = STATES_MIN.saturating_add(states.saturating_mul(factor));
    Ok(Weight { states, parsed: (1 + count.classes) * pattern.len() as u64 })
}

/// Checks what weighing a pattern does not find, such as classes of Unicode that do not exist. This
/// takes memory according to its weight.
///
/// # Errors
/// Returns what is wrong with it.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let checked = regex_syntax::parse(pattern).map(drop);
    checked.map_err(|error| match error {
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        other => other.to_string(),
    })
}

#[derive(Default)]
struct Count {
    /// Classes such as `\d`.
    classes: u64,
    has_flags: bool,
}

impl Count {
    /// How deep a pattern is nested is bounded by its parser.
    fn states(&mut self, ast: &Ast) -> u64 {
        match ast {
            Ast::Empty(_) | Ast::Assertion(_) => 1,
            Ast::Flags(_) => {
                self.has_flags = true;
                1
            }
            Ast::Literal(literal) => literal.c.len_utf8() as u64,
            Ast::Dot(_) => CLASS_STATES,
            Ast::ClassUnicode(_) => UNICODE_STATES,
            Ast::ClassPerl(_) => {
                self.classes += 1;
                CLASS_STATES
            }
            Ast::ClassBracketed(class) => self.class(class),
            Ast::Repetition(repeated) => {
                let states = self.states(&repeated.ast);
                let times = match &repeated.op.kind {
                    RepetitionKind::ZeroOrOne
                    | RepetitionKind::ZeroOrMore
                    | RepetitionKind::OneOrMore => 1,
                    RepetitionKind::Range(
                        RepetitionRange::Exactly(times) | RepetitionRange::Bounded(_, times),
                    ) => *times,
                    RepetitionKind::Range(RepetitionRange::AtLeast(times)) => {
                        times.saturating_add(1)
                    }
                };
                states.saturating_add(1).saturating_mul(u64::from(times)).saturating_add(1)
            }
            Ast::Group(group) => {
                self.has_flags |= group.flags().is_some_and(|flags| !flags.items.is_empty());
                self.states(&group.ast).saturating_add(2)
            }
            Ast::Alternation(all) => self.all(&all.asts),
            Ast::Concat(all) => self.all(&all.asts),
        }
    }

    fn all(&mut self, all: &[Ast]) -> u64 {
        all.iter().fold(1, |sum: u64, ast| sum.saturating_add(self.states(ast)).saturating_add(1))
    }

    fn class(&mut self, class: &ClassBracketed) -> u64 {
        let states = self.set(&class.kind);
        if class.negated { states.saturating_add(CLASS_STATES) } else { states }
    }

    fn set(&mut self, set: &ClassSet) -> u64 {
        match set {
            ClassSet::Item(item) => self.item(item),
            ClassSet::BinaryOp(both) => {
                let states = self.set(&both.lhs).saturating_add(self.set(&both.rhs));
                states.saturating_add(CLASS_STATES)
            }
        }
    }

    fn item(&mut self, item: &ClassSetItem) -> u64 {
        match item {
            ClassSetItem::Empty(_) => 1,
            ClassSetItem::Literal(literal) => literal.c.len_utf8() as u64,
            ClassSetItem::Range(range) if range.end.c.is_ascii() => 1,
            ClassSetItem::Range(_) | ClassSetItem::Ascii(_) => CLASS_STATES,
            ClassSetItem::Unicode(_) => UNICODE_STATES,
            ClassSetItem::Perl(_) => {
                self.classes += 1;
                CLASS_STATES
            }
            ClassSetItem::Bracketed(class) => self.class(class),
            ClassSetItem::Union(all) => {
                all.items.iter().fold(0, |sum: u64, item| sum.saturating_add(self.item(item)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted_with_their_repetitions() {
        let states = |pattern: &str| weigh(pattern).unwrap().states;
        assert!(states("^[a-z]+-[0-9]+$") < 50);
        assert!((200..2000).contains(&states("^.*a.{100}b$")));
        assert!(states("^.{1,5000}$") > 40_000);
        assert!(states("(((a{1000}){1000}){1000}){1000}") > 1_000_000_000_000);
        assert!(states("\\p{L}{100}") > 20_000 && states("[\\p{L}-]{100}") > 20_000);
        assert!(states("(?i)abc") > 5 * states("abc") / 2);
    }

    #[test]
    fn classes_are_counted_for_each_time_that_the_pattern_is_parsed_again() {
        assert_eq!(weigh("abc").unwrap().parsed, 3);
        assert_eq!(weigh(&"\\d".repeat(1000)).unwrap().parsed, 1001 * 2000);
        assert_eq!(weigh("[\\w-]").unwrap().parsed, 2 * 5);
    }

    #[test]
    fn what_is_no_pattern_is_said_in_a_few_words() {
        let wrong = |pattern: &str| weigh(pattern).and_then(|_| check(pattern)).unwrap_err();
        let look_around = "look-around, including look-ahead and look-behind, is not supported";
        assert_eq!(wrong("^(?=x)"), look_around);
        assert_eq!(wrong("(a)\\1"), "backreferences are not supported");
        assert_eq!(wrong("\\p{Nothing}"), "Unicode property not found");
        assert_eq!(wrong("("), "unclosed group");
    }
}
