//! Raw logs of transfers, as the contracts write them: ERC-20 and ERC-721 `Transfer`, ERC-1155
//! `TransferSingle` and `TransferBatch`.
//!
//! The forms are those of the Ethereum ABI: words of 32 bytes, big-endian, here as hexadecimal digits.

use ruint::aliases::U256;

use super::TokenKind;

const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const TRANSFER_SINGLE: &str = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62";
const TRANSFER_BATCH: &str = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb";

/// Hexadecimal digits of a word.
const WORD: usize = 64;

/// The texts of one log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawLog<'a> {
    pub(super) topics: [Option<&'a str>; 4],
    pub(super) data: Option<&'a str>,
}

/// What a log says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoggedTransfers {
    pub(super) kind: TokenKind,
    pub(super) from: String,
    pub(super) to: String,
    /// Numbers and amounts: no number for fungible tokens, the amount 1 for ERC-721.
    pub(super) items: Vec<(Option<String>, String)>,
    pub(super) is_batch: bool,
}

impl RawLog<'_> {
    /// The transfers that the log states; `None` if it is about something else.
    ///
    /// # Errors
    /// What is wrong with a log of transfers.
    pub(super) fn transfers(
        &self,
        kind: Option<TokenKind>,
    ) -> Result<Option<LoggedTransfers>, &'static str> {
        let [signature, topics @ ..] = self.topics;
        let Some(signature) = signature.map(str::to_ascii_lowercase) else {
            return Ok(None);
        };
        let data = words(self.data.unwrap_or("0x")).ok_or("data is not words of 32 bytes");
        let found = match &*signature {
            TRANSFER => Self::transfer(topics, &data?, kind)?,
            TRANSFER_SINGLE => {
                let data = data?;
                let [id, amount, ..] = &data[..] else {
                    return Err("data has less than two words, the number and the amount");
                };
                Self::between(
                    TokenKind::Erc1155,
                    topics[1],
                    topics[2],
                    vec![(Some(number(id)?), number(amount)?)],
                )?
            }
            TRANSFER_BATCH => {
                let data = data?;
                let (ids, amounts) = (list(&data, 0)?, list(&data, 1)?);
                if ids.len() != amounts.len() {
                    return Err("data has not as many numbers as amounts");
                }
                let items = ids.into_iter().map(Some).zip(amounts).collect();
                LoggedTransfers {
                    is_batch: true,
                    ..Self::between(TokenKind::Erc1155, topics[1], topics[2], items)?
                }
            }
            _ => return Ok(None),
        };
        Ok((kind.is_none_or(|kind| kind == found.kind)).then_some(found))
    }

    /// A `Transfer`, whose number or amount is the fourth topic or the data.
    fn transfer(
        topics: [Option<&str>; 3],
        data: &[String],
        kind: Option<TokenKind>,
    ) -> Result<LoggedTransfers, &'static str> {
        let one = || "1".to_owned();
        let [from, to, id] = topics;
        if let Some(id) = id {
            let id = number(&words(id).ok_or("topic3 is not a word")?.concat())?;
            return Self::between(TokenKind::Erc721, from, to, vec![(Some(id), one())]);
        }
        if from.is_some() {
            let [amount, ..] = data else {
                return Err("data has no amount");
            };
            return Self::between(TokenKind::Erc20, from, to, vec![(None, number(amount)?)]);
        }
        // Some old contracts index nothing, and only the user knows what their last word is.
        let [from, to, value] = data else {
            return Err("data has not the three words of a log without indexed parties");
        };
        let value = number(value)?;
        let item = match kind {
            Some(TokenKind::Erc20) => (None, value),
            Some(TokenKind::Erc721) => (Some(value), one()),
            Some(TokenKind::Erc1155) | None => {
                return Err("the parties are not indexed; say --token-kind erc20 or erc721");
            }
        };
        let kind = kind.unwrap_or(TokenKind::Erc20);
        Self::between(kind, Some(from), Some(to), vec![item])
    }

    fn between(
        kind: TokenKind,
        from: Option<&str>,
        to: Option<&str>,
        items: Vec<(Option<String>, String)>,
    ) -> Result<LoggedTransfers, &'static str> {
        Ok(LoggedTransfers {
            kind,
            from: address(from)?,
            to: address(to)?,
            items,
            is_batch: false,
        })
    }
}

/// The address in the last 20 bytes of a word.
fn address(word: Option<&str>) -> Result<String, &'static str> {
    let word = word.ok_or("a topic of a party is missing")?;
    let digits = word.strip_prefix("0x").unwrap_or(word);
    if digits.len() != WORD || !digits.is_ascii() {
        return Err("a topic of a party is not a word of 32 bytes");
    }
    Ok(format!("0x{}", digits[WORD - 40..].to_ascii_lowercase()))
}

/// The words of `data`, each as its digits; `None` if it is not whole words.
fn words(data: &str) -> Option<Vec<String>> {
    let digits = data.strip_prefix("0x").unwrap_or(data);
    let is_whole =
        digits.len().is_multiple_of(WORD) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    is_whole.then(|| digits.as_bytes().chunks(WORD).map(word).collect())
}

/// A word as decimal digits.
fn number(word: &str) -> Result<String, &'static str> {
    let number = U256::from_str_radix(word, 16);
    number
        .map(|number| number.to_string())
        .map_err(|_| "a number has more than 256 bits")
}

/// The list whose offset is the word at `index`.
fn list(data: &[String], index: usize) -> Result<Vec<String>, &'static str> {
    const CUT: &str = "data ends within a list";
    let word = |index: usize| {
        let word = data.get(index).ok_or(CUT)?;
        let number = U256::from_str_radix(word, 16).map_err(|_| CUT)?;
        usize::try_from(number).map_err(|_| CUT)
    };
    let start = word(index)? / 32;
    let length = word(start)?;
    let end = start.checked_add(length).ok_or(CUT)?;
    let items = data.get(start + 1..=end).ok_or(CUT)?;
    items.iter().map(|word| number(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(digits: &str) -> String {
        format!("{digits:0>64}")
    }

    fn topic(digits: &str) -> String {
        format!("0x{}", word(digits))
    }

    fn read(
        topics: &[&str],
        data: &str,
        kind: Option<TokenKind>,
    ) -> Result<Option<LoggedTransfers>, &'static str> {
        let mut log = RawLog {
            data: Some(data),
            ..RawLog::default()
        };
        for (slot, topic) in log.topics.iter_mut().zip(topics) {
            *slot = Some(topic);
        }
        log.transfers(kind)
    }

    fn items(topics: &[&str], data: &str) -> Vec<(Option<String>, String)> {
        let found = read(topics, data, None).unwrap().unwrap();
        assert_eq!(found.from, format!("0x{:0>40}", "aa"));
        assert_eq!(found.to, format!("0x{:0>40}", "bb"));
        found.items
    }

    #[test]
    fn each_standard_is_read_from_its_own_log() {
        let (a, b, op) = (topic("AA"), topic("bb"), topic("cc"));
        let some = |text: &str| Some(text.to_owned());
        let amount = format!("0x{}", word("bebc200"));
        assert_eq!(
            items(&[TRANSFER, &a, &b], &amount),
            [(None, "200000000".to_owned())]
        );
        let number = topic("ff");
        assert_eq!(
            items(&[TRANSFER, &a, &b, &number], "0x"),
            [(some("255"), "1".to_owned())]
        );
        let single = format!("0x{}{}", word("7"), word("a"));
        assert_eq!(
            items(&[TRANSFER_SINGLE, &op, &a, &b], &single),
            [(some("7"), "10".to_owned())]
        );
        let batch = ["40", "a0", "2", "7", "8", "2", "1", "ff"]
            .map(word)
            .concat();
        let batch = format!("0x{batch}");
        assert_eq!(
            items(&[TRANSFER_BATCH, &op, &a, &b], &batch),
            [(some("7"), "1".to_owned()), (some("8"), "255".to_owned())]
        );
    }

    #[test]
    fn other_logs_and_other_kinds_are_left_out() {
        let (a, b) = (topic("aa"), topic("bb"));
        let amount = topic("1");
        let other = topic("1234");
        assert_eq!(read(&[&other, &a, &b], &amount, None), Ok(None));
        let kind = Some(TokenKind::Erc721);
        assert_eq!(read(&[TRANSFER, &a, &b], &amount, kind), Ok(None));
        assert_eq!(read(&[], "0x", None), Ok(None));
    }

    #[test]
    fn damaged_logs_are_refused() {
        let (a, b, op) = (topic("aa"), topic("bb"), topic("cc"));
        for (topics, data) in [
            (vec![TRANSFER, &a, &b], "0x".to_owned()),
            (vec![TRANSFER, &a, &b], "0x12".to_owned()),
            (vec![TRANSFER, &a], topic("1")),
            (
                vec![TRANSFER_BATCH, &op, &a, &b],
                format!("0x{}{}", word("40"), word("ffffffffffffffff")),
            ),
            (
                vec![TRANSFER_BATCH, &op, &a, &b],
                format!("0x{}", ["40", "60", "5"].map(word).concat()),
            ),
            (
                vec![TRANSFER],
                format!("0x{}", ["aa", "bb", "1"].map(word).concat()),
            ),
        ] {
            assert!(read(&topics, &data, None).is_err(), "{topics:?} {data}");
        }
    }
}
