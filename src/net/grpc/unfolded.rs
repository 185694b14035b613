//! What a message takes once it is decoded, read from its bytes before that.
//!
//! A text of no bytes is two bytes of a message and 24 in memory, so a batch of nothing but these takes twelve times its
//! length. Such a batch is refused while it is short; what others take is counted in `counted_messages`.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder};
use tonic_prost::ProstDecoder;

use crate::net::pb::{HoldBatch, HoldMsg, TransferBatch, TransferMsg};

/// A byte of a message stands for so many at most: two are a text of no bytes.
const UNFOLDS: usize = size_of::<String>() / 2;
/// What a number takes in memory.
const NUMBER_BYTES: usize = size_of::<u64>();

/// A message of a stream of events.
pub(in crate::net) trait Unfolded: prost::Message + Default + 'static {
    /// The columns of texts, by number.
    const TEXTS: &'static [u32];
    /// The columns of numbers that take one byte at least.
    const VARINTS: &'static [u32];
    /// The columns of numbers of eight bytes.
    const FIXED: &'static [u32];

    /// What a row takes in memory, without its texts.
    const ROW_BYTES: usize = Self::TEXTS.len() * size_of::<String>()
        + (Self::VARINTS.len() + Self::FIXED.len()) * NUMBER_BYTES;

    /// The bytes that the columns of a message take at most, without what they keep to grow.
    fn unfolded_bytes(mut message: &[u8]) -> usize {
        let mut bytes = 0;
        while !message.is_empty() {
            let left = message.len();
            let Some(more) = next_field::<Self>(&mut message) else {
                // The rest has a group, which `prost` skips, or cannot be decoded.
                return bytes + left * UNFOLDS;
            };
            bytes += more;
        }
        bytes
    }
}

/// Reads a field; what it takes.
fn next_field<M: Unfolded>(message: &mut &[u8]) -> Option<usize> {
    let (field, wire_type) = decode_key(message).ok()?;
    let length = match wire_type {
        WireType::Varint => {
            decode_varint(message).ok()?;
            return Some(NUMBER_BYTES);
        }
        WireType::LengthDelimited => usize::try_from(decode_varint(message).ok()?).ok()?,
        WireType::SixtyFourBit => NUMBER_BYTES,
        WireType::ThirtyTwoBit => NUMBER_BYTES / 2,
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    let (content, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(if M::TEXTS.contains(&field) {
        length + size_of::<String>()
    } else if M::VARINTS.contains(&field) {
        content.iter().filter(|byte| **byte < 0x80).count() * NUMBER_BYTES
    } else if M::FIXED.contains(&field) {
        length
    } else {
        0
    })
}

impl Unfolded for HoldBatch {
    const TEXTS: &'static [u32] = &[1, 2, 6, 7, 12];
    const VARINTS: &'static [u32] = &[8, 9, 13];
    const FIXED: &'static [u32] = &[3, 4, 5, 10, 11];
}

impl Unfolded for TransferBatch {
    const TEXTS: &'static [u32] = &[1, 2, 3, 6, 7];
    const VARINTS: &'static [u32] = &[8, 9, 10];
    const FIXED: &'static [u32] = &[4, 5];
}

/// One event has no columns: it takes its length, and a fixed number of bytes.
macro_rules! without_columns {
    ($($message:ty),*) => {$(
        impl Unfolded for $message {
            const TEXTS: &'static [u32] = &[];
            const VARINTS: &'static [u32] = &[];
            const FIXED: &'static [u32] = &[];

            fn unfolded_bytes(message: &[u8]) -> usize {
                message.len()
            }
        }
    )*};
}

without_columns!(HoldMsg, TransferMsg);

/// Decodes messages that take at most so many bytes, and says how many that are.
pub(super) struct BoundedDecoder<M> {
    bytes_max: usize,
    message: PhantomData<fn() -> M>,
}

impl<M> BoundedDecoder<M> {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            message: PhantomData,
        }
    }
}

impl<M: Unfolded> Decoder for BoundedDecoder<M> {
    type Item = (M, usize);
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<(M, usize)>, Status> {
        // `tonic` gathers a message in one buffer.
        debug_assert_eq!(buffer.chunk().len(), buffer.remaining());
        let bytes = M::unfolded_bytes(buffer.chunk());
        if bytes > self.bytes_max {
            return Err(Status::out_of_range(format!(
                "message: its columns take {bytes} bytes once they are read, the maximum is {}; send smaller batches",
                self.bytes_max
            )));
        }
        let decoded = ProstDecoder::default().decode(buffer)?;
        Ok(decoded.map(|message| (message, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn what_columns_take_is_known_before_they_are_decoded() {
        let batch = HoldBatch {
            token_id: vec!["T".to_owned()],
            holder_id: vec![String::new(), "bcd".to_owned()],
            start_us: vec![1, 2],
            weight: vec![1.0],
            revision: vec![0, 300],
            retract: vec![true, false],
            ..HoldBatch::default()
        };
        let texts = 3 * size_of::<String>() + 4;
        assert_eq!(
            HoldBatch::unfolded_bytes(&batch.encode_to_vec()),
            texts + 7 * NUMBER_BYTES
        );
        let transfers = TransferBatch {
            to_id: vec![String::new(); 100],
            seq: vec![7; 100],
            ..TransferBatch::default()
        };
        assert_eq!(
            TransferBatch::unfolded_bytes(&transfers.encode_to_vec()),
            100 * (size_of::<String>() + NUMBER_BYTES)
        );
        // The content of a text is missing; a group, which has field 100, and a text behind it.
        for unknown in [vec![0x0a, 100, 1], vec![0xa3, 0x06, 0xa4, 0x06, 0x0a, 0]] {
            let bytes = HoldBatch::unfolded_bytes(&unknown);
            assert_eq!(bytes, unknown.len() * UNFOLDS);
        }
        let all = 5 * size_of::<String>() + 8 * NUMBER_BYTES;
        assert_eq!(HoldBatch::ROW_BYTES, all);
    }
}
