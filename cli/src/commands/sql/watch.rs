//! A query again and again: in one place on a terminal, one answer after the other elsewhere.

use jiff::{Timestamp, Unit};

use super::{
    interval::Interval,
    printer::{Printer, is_to_terminal, say},
};
use crate::{
    error::{Error, complain},
    output::{Format, screen::Screen, text::printable},
};

/// Repeats a statement until the output takes nothing more. The first round has to succeed: a
/// mistake would only be repeated. Later ones are shown and tried again, as a server that restarts
/// comes back.
pub(crate) async fn watch(
    printer: &Printer,
    statement: &str,
    every: Interval,
) -> Result<(), Error> {
    let mut is_first = true;
    loop {
        let round = if is_to_terminal() {
            draw(printer, statement, every, is_first).await
        } else {
            print(printer, statement, every).await
        };
        match round {
            Err(error) if is_first || error.is_reader_gone() => return Err(error),
            Err(error) => complain(format_args!("{error}; trying again in {every}")),
            Ok(()) => (),
        }
        is_first = false;
        tokio::time::sleep(every.0).await;
    }
}

/// Draws a round over the one before.
async fn draw(
    printer: &Printer,
    statement: &str,
    every: Interval,
    is_first: bool,
) -> Result<(), Error> {
    let header = header(statement, every);
    let mut screen = Screen::of_terminal();
    screen.push(header.as_bytes());
    match printer.write(statement, printer.format, &mut screen).await {
        Err(error) if is_first => return Err(error),
        Err(error) => {
            screen = Screen::of_terminal();
            screen.push(header.as_bytes());
            for line in error.to_string().lines() {
                screen.push(format!("{}\n", printable(line)).as_bytes());
            }
        }
        Ok(()) => (),
    }
    say(&screen.drawn())?;
    Ok(())
}

/// Prints a round below the one before. Tables have a header of their own; JSON and CSV remain what
/// a program can read.
async fn print(printer: &Printer, statement: &str, every: Interval) -> Result<(), Error> {
    let (header, end) = match printer.format {
        Format::Table | Format::Expanded => (header(statement, every), "\n"),
        Format::Csv => (String::new(), "\n"),
        Format::Json => (String::new(), ""),
    };
    say(&header)?;
    printer.print(statement).await?;
    say(end)?;
    Ok(())
}

/// When, how often and what, on a line of its own.
fn header(statement: &str, every: Interval) -> String {
    let now = Timestamp::now();
    let now = now.round(Unit::Second).unwrap_or(now);
    let statement: Vec<&str> = statement.split_whitespace().collect();
    format!("{now} (every {every}): {}\n\n", printable(&statement.join(" ")))
}
