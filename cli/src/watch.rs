//! A query again and again: in one place on a terminal, one answer after the other elsewhere.

use jiff::{Timestamp, Unit};

use crate::{
    args::ListFlags,
    error::{Error, complain},
    interval::Interval,
    output::{Format, screen::Screen, text::printable},
    printer::Printer,
    terminal::{is_to_terminal, say},
};

/// A statement, and what it is called above its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched<'a> {
    /// What is repeated, in the words of the user.
    pub(crate) title: &'a str,
    pub(crate) statement: &'a str,
}

/// Prints a list: once, or again and again if its flags say so. Returns how many rows there were. A
/// terminal that is too narrow for the table does without the columns that matter least.
pub(crate) async fn list(
    flags: &ListFlags,
    watched: Watched<'_>,
    least: &'static [&'static str],
) -> Result<u64, Error> {
    let printer = Printer::of_list(flags, least);
    match flags.watch.every {
        None => printer.print(watched.statement).await,
        Some(every) => watch(&printer, watched, every).await.map(|()| 0),
    }
}

/// Repeats a statement until the output takes nothing more. The first round has to succeed: a
/// mistake would only be repeated. Later ones are shown and tried again, as a server that restarts
/// comes back.
pub(crate) async fn watch(
    printer: &Printer,
    watched: Watched<'_>,
    every: Interval,
) -> Result<(), Error> {
    let round = async |is_first: bool| {
        if is_to_terminal() {
            draw(printer, watched, every, is_first).await
        } else {
            print(printer, watched, every).await
        }
    };
    repeat(every, round).await
}

/// Does something again and again, until the output takes nothing more. The first round, which is
/// told that it is, has to succeed; later ones are tried again.
pub(crate) async fn repeat(
    every: Interval,
    round: impl AsyncFn(bool) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut is_first = true;
    loop {
        match round(is_first).await {
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
    watched: Watched<'_>,
    every: Interval,
    is_first: bool,
) -> Result<(), Error> {
    let header = header(watched.title, every);
    let mut screen = Screen::of_terminal();
    screen.push(header.as_bytes());
    match printer.write(watched.statement, printer.format, &mut screen).await {
        Err(error) if is_first => return Err(error),
        Err(error) => {
            screen = Screen::of_terminal();
            screen.push(header.as_bytes());
            for line in error.to_string().lines() {
                screen.push(format!("{}\n", printable(line)).as_bytes());
            }
        }
        Ok(_) => (),
    }
    say(&screen.drawn())?;
    Ok(())
}

/// Prints a round below the one before. Tables have a header of their own; JSON and CSV remain what
/// a program can read.
async fn print(printer: &Printer, watched: Watched<'_>, every: Interval) -> Result<(), Error> {
    let (header, end) = match printer.format {
        Format::Table | Format::Expanded => (header(watched.title, every), "\n"),
        Format::Csv => (String::new(), "\n"),
        Format::Json => (String::new(), ""),
    };
    say(&header)?;
    printer.print(watched.statement).await?;
    say(end)?;
    Ok(())
}

/// When, how often and what, on a line of its own.
fn header(title: &str, every: Interval) -> String {
    let now = Timestamp::now();
    let now = now.round(Unit::Second).unwrap_or(now);
    let title: Vec<&str> = title.split_whitespace().collect();
    format!("{now} (every {every}): {}\n\n", printable(&title.join(" ")))
}
