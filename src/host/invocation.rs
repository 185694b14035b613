//! The arguments of `python`, parsed as that program parses them.
//!
//! Python's own libraries start child processes as `sys.executable -c ...`, so the options that they pass
//! must be accepted. Those that an isolated interpreter implies (`-I`, `-E`, `-s`, `-S`, `-P`) change
//! nothing. Runs nothing; see [`super::scripts`].

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::interpreter::Settings;
use super::scripts::Program;

/// A parsed command line of `python`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// The options.
    pub settings: Settings,
    /// What is run; `None` if no program is named.
    pub program: Option<Program>,
    /// `sys.argv[1:]`.
    pub arguments: Vec<OsString>,
}

/// An argument that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvocationError {
    /// No such option.
    #[error(
        "python: unknown option {option}: give -c CODE, -m MODULE, a file or -, before them \
             any of -B -b -O -q -u -V -v -W -X"
    )]
    UnknownOption {
        /// As it was written.
        option: String,
    },
    /// The value of the last option is missing.
    #[error("python: {option} needs a value")]
    NoValue {
        /// As it is written.
        option: String,
    },
}

impl Invocation {
    /// Parses the arguments that follow `python`.
    ///
    /// # Errors
    /// If an option is unknown or lacks its value.
    pub(crate) fn read(words: &[OsString]) -> Result<Self, InvocationError> {
        let mut invocation = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let program = match word.to_str() {
                Some("-") => Some(Program::Input),
                Some("--version") => Some(Program::Version),
                Some(options) if options.starts_with('-') => {
                    invocation.take_options(options, &mut words)?
                }
                _ => Some(Program::File(word.into())),
            };
            if program.is_some() {
                invocation.program = program;
                invocation.arguments = words.cloned().collect();
                break;
            }
        }
        Ok(invocation)
    }

    /// Parses one argument with options, such as `-Bu` or `-Xutf8`; returns the program if it names one.
    fn take_options<'a>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'a OsString>,
    ) -> Result<Option<Program>, InvocationError> {
        let settings = &mut self.settings;
        for (index, option) in word.char_indices().skip(1) {
            let mut value = || match &word[index + option.len_utf8()..] {
                "" => rest.next().cloned().ok_or(InvocationError::NoValue {
                    option: format!("-{option}"),
                }),
                value => Ok(value.into()),
            };
            match option {
                'B' => settings.keeps_no_bytecode = true,
                'b' => settings.bytes_warnings += 1,
                'O' => settings.optimization += 1,
                'q' => settings.is_quiet = true,
                'u' => settings.is_unbuffered = true,
                'v' => settings.verbosity += 1,
                'E' | 'I' | 'P' | 'S' | 's' => {}
                'W' => {
                    settings.warnings.push(value()?);
                    return Ok(None);
                }
                'X' => {
                    settings.extensions.push(value()?);
                    return Ok(None);
                }
                'c' => return Ok(Some(Program::Code(value()?))),
                'm' => return Ok(Some(Program::Module(value()?))),
                'V' => return Ok(Some(Program::Version)),
                _ => {
                    return Err(InvocationError::UnknownOption {
                        option: word.to_owned(),
                    });
                }
            }
        }
        Ok(None)
    }
}

/// Whether the arguments of this process are meant for `python`: `sys.executable` is this program, and
/// code that starts it does not know our subcommands.
#[must_use]
pub(crate) fn is_meant_for_python(words: &[OsString]) -> bool {
    let Some(first) = words.first() else {
        return false;
    };
    let is_option = |text: &str| {
        let mut letters = text.chars();
        letters.next() == Some('-')
            && letters
                .next()
                .is_none_or(|letter| "BEIOPSWXbcmqsuv".contains(letter))
    };
    first.to_str().is_some_and(is_option) || is_script(first)
}

fn is_script(word: &OsStr) -> bool {
    let path = Path::new(word);
    path.extension().is_some_and(|kind| kind == "py") && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    fn read(line: &[&str]) -> Invocation {
        Invocation::read(&words(line)).unwrap()
    }

    #[test]
    fn arguments_after_the_program_are_passed_to_it() {
        let code = read(&["-c", "pass", "-c", "--x"]);
        assert_eq!(code.program, Some(Program::Code("pass".into())));
        assert_eq!(code.arguments, words(&["-c", "--x"]));
        let module = read(&["-mpytest", "-q"]);
        assert_eq!(module.program, Some(Program::Module("pytest".into())));
        assert_eq!(module.arguments, words(&["-q"]));
        let file = read(&["a.py", "-", "b"]);
        assert_eq!(file.program, Some(Program::File("a.py".into())));
        assert_eq!(read(&["-"]).program, Some(Program::Input));
        assert_eq!(read(&["-V"]).program, Some(Program::Version));
        assert_eq!(read(&["--version"]).program, Some(Program::Version));
        assert_eq!(read(&[]).program, None);
    }

    #[test]
    fn options_may_be_combined_and_have_values() {
        let invocation = read(&["-I", "-BuOO", "-Xdev", "-W", "error", "-bb", "-c", "pass"]);
        let settings = invocation.settings;
        assert!(settings.keeps_no_bytecode && settings.is_unbuffered);
        assert_eq!((settings.optimization, settings.bytes_warnings), (2, 2));
        assert_eq!(settings.extensions, words(&["dev"]));
        assert_eq!(settings.warnings, words(&["error"]));
    }

    #[test]
    fn unknown_options_are_refused_by_name() {
        let text = |line: &[&str]| Invocation::read(&words(line)).unwrap_err().to_string();
        assert!(text(&["-z"]).starts_with("python: unknown option -z"));
        assert!(text(&["--verbose"]).starts_with("python: unknown option --verbose"));
        assert_eq!(text(&["-B", "-c"]), "python: -c needs a value");
    }

    #[test]
    fn child_processes_are_told_from_users_of_the_command_line() {
        assert!(is_meant_for_python(&words(&["-I", "-c", "pass"])));
        assert!(is_meant_for_python(&words(&["-"])));
        for line in [
            &[][..],
            &["score"],
            &["--help"],
            &["-h"],
            &["-V"],
            &["missing.py"],
        ] {
            assert!(!is_meant_for_python(&words(line)), "{line:?}");
        }
    }
}
