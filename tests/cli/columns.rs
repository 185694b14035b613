//! `score` over Parquet and Arrow IPC: every accepted type of every column gives the same answer.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal32Array,
    Decimal64Array, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray, LargeStringArray, RecordBatch,
    StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow_buffer::i256;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::DataType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::support::{AS_OF, Folder, gzip, holders, run, run_with_input, score};

/// 2025-07-21T00:00:00Z in seconds.
pub(crate) const START: i64 = 1_753_056_000;

pub(crate) type Columns = Vec<(&'static str, ArrayRef)>;

pub(crate) fn column(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

/// The events of `crate::support::EVENTS`: what holds a row together, in plain types.
fn plain() -> Columns {
    let millis = |seconds: [Option<i64>; 4]| {
        let millis = seconds.map(|second| second.map(|second| (START + second) * 1_000));
        column(Int64Array::from(millis.to_vec()))
    };
    vec![
        (
            "token_id",
            column(StringArray::from(vec!["7", "7", "8", "8"])),
        ),
        (
            "holder_id",
            column(StringArray::from(vec!["-1", "-1", "2", "-1"])),
        ),
        ("start", millis([Some(0), Some(5), Some(0), None])),
        ("end", millis([Some(10), Some(20), None, Some(1)])),
        (
            "weight",
            column(Float64Array::from(vec![
                Some(1.0),
                Some(3.0),
                Some(0.5),
                None,
            ])),
        ),
    ]
}

fn with(name: &str, wanted: &'static str, array: ArrayRef) -> Columns {
    let mut columns = plain();
    let place = columns
        .iter()
        .position(|(known, _)| *known == name)
        .expect("a plain column");
    columns[place] = (wanted, array);
    columns
}

fn batch(columns: &Columns) -> RecordBatch {
    let columns = columns
        .iter()
        .map(|(name, array)| (*name, Arc::clone(array), true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

fn parquet(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn ipc_file(batch: &RecordBatch, options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn ipc_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// The same columns as Parquet, as an Arrow file and as an Arrow stream.
pub(crate) fn files(folder: &Folder, columns: &Columns) -> [PathBuf; 3] {
    let batch = batch(columns);
    [
        folder.file("a.parquet", parquet(&batch, WriterProperties::default())),
        folder.file("a.arrow", ipc_file(&batch, IpcWriteOptions::default())),
        folder.file("by_content", ipc_stream(&batch)),
    ]
}

fn expected() -> Vec<(u64, String, u64, String)> {
    vec![
        (1, "-1".into(), 20_000_000, "50".into()),
        (1, "2".into(), 100_000_000, "50".into()),
    ]
}

#[track_caller]
fn check(columns: &Columns) {
    let folder = Folder::new();
    for path in files(&folder, columns) {
        let report = score(&path, &[]).json();
        assert_eq!(
            holders(&report),
            expected(),
            "{}: {:?}",
            path.display(),
            batch(columns).schema()
        );
        assert_eq!(report["read"], 4);
    }
}

#[test]
fn ids_are_text_of_any_kind_dictionaries_or_integers() {
    check(&plain());
    let ids = ["-1", "-1", "2", "-1"];
    for holder in [
        column(LargeStringArray::from(ids.to_vec())),
        column(StringViewArray::from(ids.to_vec())),
        column(BinaryArray::from(ids.map(str::as_bytes).to_vec())),
        column(LargeBinaryArray::from(ids.map(str::as_bytes).to_vec())),
        column(BinaryViewArray::from(ids.map(str::as_bytes).to_vec())),
        column(ids.into_iter().collect::<DictionaryArray<Int8Type>>()),
        column(Int8Array::from(vec![-1, -1, 2, -1])),
        column(Int16Array::from(vec![-1, -1, 2, -1])),
        column(Int32Array::from(vec![-1, -1, 2, -1])),
        column(Int64Array::from(vec![-1, -1, 2, -1])),
        column(
            DictionaryArray::try_new(
                UInt32Array::from(vec![1, 1, 0, 1]),
                column(LargeStringArray::from(vec!["2", "-1"])),
            )
            .unwrap(),
        ),
    ] {
        check(&with("holder_id", "holder_id", holder));
    }
    for token in [
        column(UInt8Array::from(vec![7, 7, 8, 8])),
        column(UInt16Array::from(vec![7, 7, 8, 8])),
        column(UInt32Array::from(vec![7, 7, 8, 8])),
        column(UInt64Array::from(vec![7, 7, 8, 8])),
    ] {
        check(&with("token_id", "token_id", token));
    }
    let keys = Int8Array::from(vec![1, 1, 0, 0]);
    let numbers = DictionaryArray::try_new(keys, column(Int64Array::from(vec![8, 7]))).unwrap();
    check(&with("token_id", "token_id", column(numbers)));
}

#[test]
fn times_are_timestamps_of_any_unit_or_integers() {
    let scaled = |factor: i64| {
        [Some(0), Some(5), Some(0), None]
            .map(|second| second.map(|second| (START + second) * factor))
            .to_vec()
    };
    for start in [
        column(TimestampSecondArray::from(scaled(1))),
        column(TimestampMillisecondArray::from(scaled(1_000)).with_timezone("UTC")),
        column(TimestampMicrosecondArray::from(scaled(1_000_000)).with_timezone("+09:00")),
        column(TimestampNanosecondArray::from(scaled(1_000_000_000))),
        column(
            scaled(1_000)
                .into_iter()
                .map(|milli| milli.map(i64::cast_unsigned))
                .collect::<UInt64Array>(),
        ),
        column({
            let keys = Int8Array::from(vec![Some(1), Some(0), Some(1), None]);
            let values = TimestampSecondArray::from(vec![START + 5, START]);
            DictionaryArray::try_new(keys, column(values)).unwrap()
        }),
    ] {
        check(&with("start", "start", start));
    }
    check(&with(
        "start",
        "start_us",
        column(Int64Array::from(scaled(1_000_000))),
    ));
}

#[test]
fn weights_are_any_number_or_text() {
    let cents = [Some(100), Some(300), Some(50), None].to_vec();
    let wide = |cents: &i128| i256::from_i128(*cents * 10_i128.pow(28));
    let fine: Vec<_> = cents.iter().map(|cents| cents.as_ref().map(wide)).collect();
    let narrow = || {
        cents
            .iter()
            .map(|cents| cents.map(|cents| i32::try_from(cents).unwrap()))
    };
    let short: Vec<Option<i64>> = narrow().map(|cents| cents.map(i64::from)).collect();
    for weight in [
        column(Float32Array::from(vec![
            Some(1.0),
            Some(3.0),
            Some(0.5),
            None,
        ])),
        column(
            Decimal32Array::from(narrow().collect::<Vec<_>>())
                .with_precision_and_scale(9, 2)
                .unwrap(),
        ),
        column(
            Decimal64Array::from(short)
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        column(
            Decimal256Array::from(fine)
                .with_precision_and_scale(60, 30)
                .unwrap(),
        ),
        column(
            Decimal128Array::from(cents)
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        column(StringArray::from(vec![
            Some("1"),
            Some("3.0"),
            Some("5e-1"),
            None,
        ])),
        column(
            vec![Some("1"), Some("3"), Some(".5"), None]
                .into_iter()
                .collect::<DictionaryArray<Int8Type>>(),
        ),
    ] {
        check(&with("weight", "weight", weight));
    }
}

#[test]
fn corrections_are_read_from_their_columns() {
    let mut columns = plain();
    let ids = vec![None, Some("x"), Some("y"), Some("x")];
    columns.push((
        "event_id",
        column(ids.into_iter().collect::<DictionaryArray<Int8Type>>()),
    ));
    columns.push((
        "revision",
        column(Int8Array::from(vec![Some(0), None, Some(0), Some(0)])),
    ));
    columns.push((
        "retract",
        column(BooleanArray::from(vec![
            None,
            None,
            Some(true),
            Some(false),
        ])),
    ));
    let folder = Folder::new();
    for path in files(&folder, &columns) {
        let rows = holders(&score(&path, &[]).json());
        assert_eq!(rows[0], (1, "-1".into(), 20_000_000, "50".into()));
        assert_eq!(rows[1], (2, "2".into(), 0, "0".into()));
    }
}

#[test]
fn a_refused_row_is_named_by_its_number_in_the_file() {
    let folder = Folder::new();
    let weights = column(Float64Array::from(vec![1.0, f64::NAN, -1.0, 1e-19]));
    for path in files(&folder, &with("weight", "weight", weights)) {
        let name = path.display();
        let answer = score(&path, &[]);
        assert_eq!(
            answer.error(2),
            format!("{name}: line 2: weight: not finite (write a decimal like 1.5); found NaN")
        );
        let report = score(&path, &["--on-error", "skip"]).json();
        assert_eq!(
            (report["read"].as_u64(), report["accepted"].as_u64()),
            (Some(4), Some(1))
        );
        assert_eq!(report["rejected"][2]["line"], 4);
    }
    let ids = column(BinaryArray::from(vec![&b"-1"[..], b"\xff", b"2", b""]));
    for path in files(&folder, &with("holder_id", "holder_id", ids)) {
        let report = score(&path, &["--on-error", "skip"]).json();
        assert_eq!(report["rejected"][0]["reason"], "holder_id: not text");
        assert_eq!(
            report["rejected"][1]["reason"],
            "holder_id: missing or empty"
        );
    }
}

#[test]
fn rows_keep_their_numbers_across_row_groups_and_threads() {
    let rows: usize = 700_000;
    let bad = [3, 262_144, 300_001, 699_999];
    let starts = (0..rows).map(|row| {
        if bad.contains(&row) {
            i64::MAX
        } else {
            START * 1_000
        }
    });
    let columns = vec![
        ("token_id", column(StringArray::from(vec!["T"; rows]))),
        ("holder_id", column(StringArray::from(vec!["h"; rows]))),
        ("start", column(Int64Array::from_iter_values(starts))),
    ];
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(400_000));
    let folder = Folder::new();
    let batch = batch(&columns);
    for path in [
        folder.file("a.parquet", parquet(&batch, properties.build())),
        folder.file("a.arrow", ipc_file(&batch, IpcWriteOptions::default())),
    ] {
        for threads in ["1", "4"] {
            let answer = score(&path, &["--threads", threads]);
            assert!(
                answer.error(2).contains("line 4: start: out of range"),
                "{}",
                answer.stderr
            );
            let report = score(&path, &["--threads", threads, "--on-error", "skip"]).json();
            assert_eq!(report["accepted"], rows - bad.len());
            let lines = report["rejected"].as_array().unwrap().iter();
            let lines: Vec<_> = lines.map(|row| row["line"].as_u64().unwrap() - 1).collect();
            assert_eq!(lines, bad.map(|row| row as u64));
        }
    }
}

#[test]
fn packed_pages_buffers_and_files_are_read() {
    let folder = Folder::new();
    let batch = batch(&plain());
    let packed = |compression| {
        parquet(
            &batch,
            WriterProperties::builder()
                .set_compression(compression)
                .build(),
        )
    };
    let options = |compression| {
        IpcWriteOptions::default()
            .try_with_compression(Some(compression))
            .unwrap()
    };
    for path in [
        folder.file("snappy.parquet", packed(Compression::SNAPPY)),
        folder.file(
            "zstd.parquet",
            packed(Compression::ZSTD(ZstdLevel::default())),
        ),
        folder.file(
            "gzip.parquet",
            packed(Compression::GZIP(GzipLevel::default())),
        ),
        folder.file(
            "brotli.parquet",
            packed(Compression::BROTLI(BrotliLevel::default())),
        ),
        folder.file("lz4.parquet", packed(Compression::LZ4_RAW)),
        folder.file(
            "lz4.arrow",
            ipc_file(&batch, options(CompressionType::LZ4_FRAME)),
        ),
        folder.file(
            "zstd.feather",
            ipc_file(&batch, options(CompressionType::ZSTD)),
        ),
        folder.file("a.parquet.gz", gzip(&packed(Compression::UNCOMPRESSED))),
        folder.file("a.ipc.gz", gzip(&ipc_stream(&batch))),
    ] {
        assert_eq!(holders(&score(&path, &[]).json()), expected(), "{path:?}");
    }
    for bytes in [packed(Compression::SNAPPY), ipc_stream(&batch)] {
        let arguments = ["score", "-", "--as-of", AS_OF, "--format", "json"];
        assert_eq!(
            holders(&run_with_input(arguments, &bytes).json()),
            expected()
        );
    }
}

#[test]
fn columns_that_cannot_be_read_are_told_by_name_and_type() {
    let folder = Folder::new();
    let dates = column(Date32Array::from(vec![0; 4]));
    let mut both = plain();
    both.push(("end_us", column(Int64Array::from(vec![0; 4]))));
    let mut absent = plain();
    absent.remove(1);
    for (columns, expected) in [
        (
            with("start", "start", dates),
            "column start is of type date, but a timestamp, text or an integer (or --assume-utc, for dates) is needed",
        ),
        (
            with(
                "weight",
                "weight",
                column(BooleanArray::from(vec![true; 4])),
            ),
            "column weight is of type boolean, but a double, a decimal, an integer or text is needed",
        ),
        (
            both,
            "columns end and end_us are both there; keep one of them",
        ),
        (
            absent,
            "no column holder_id, from_id or to_id; the columns are token_id, start, end, weight; name yours: --columns \
             holder_id=COLUMN",
        ),
    ] {
        for path in files(&folder, &columns) {
            let sentence = format!("{}: {expected}", path.display());
            assert_eq!(score(&path, &[]).error(2), sentence);
        }
    }
}

#[test]
fn a_file_that_ends_early_is_told_wherever_it_ends() {
    let folder = Folder::new();
    let batch = batch(&plain());
    let whole = [
        ("a.parquet", parquet(&batch, WriterProperties::default())),
        ("a.arrow", ipc_file(&batch, IpcWriteOptions::default())),
    ];
    for (name, bytes) in whole {
        for length in (10..bytes.len()).step_by(bytes.len() / 20) {
            let path = folder.file(name, &bytes[..length]);
            let answer = score(&path, &[]);
            assert!(
                answer.error(2).contains("truncated or damaged"),
                "{}",
                answer.stderr
            );
        }
    }
}

/// Days since 1970 and nanoseconds of the day, as Spark writes a timestamp.
fn int96(days: i64, nanos: u64) -> Int96 {
    let julian_day = u32::try_from(days + 2_440_588).expect("a day of the calendar");
    let (low, high) = (nanos & u64::from(u32::MAX), nanos >> 32);
    let word = |bits: u64| u32::try_from(bits).expect("half of the nanoseconds");
    let mut value = Int96::new();
    value.set_data(word(low), word(high), julian_day);
    value
}

/// A row of Spark's that ends on 9999-12-31, as open ones often do, was read as one that ends in 1816, and a
/// start in the year 1 as one in 1754: both leave the range of 64-bit nanoseconds.
#[test]
fn int96_is_the_instant_that_it_denotes_in_every_year() {
    let schema = "message holds { required binary token_id (UTF8); required binary holder_id (UTF8); \
                  required int96 start; required int96 end; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for texts in [["T", "T"], ["old", "open"]] {
        let texts = texts.map(ByteArray::from);
        let mut column = group.next_column().unwrap().expect("an id");
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
    }
    // Years 1 and 1970; then the first microsecond and a half of 1970, and the last day of 9999.
    for times in [
        [int96(-719_162, 0), int96(0, 0)],
        [int96(0, 1_500), int96(2_932_896, 0)],
    ] {
        let mut column = group.next_column().unwrap().expect("a time");
        let typed = column.typed::<Int96Type>();
        typed.write_batch(&times, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();

    let folder = Folder::new();
    let path = folder.file("spark.parquet", bytes);
    let path = path.to_str().expect("a path that is text");
    let as_of = "1970-01-03T00:00:00Z";
    let report = run(["score", path, "--as-of", as_of, "--format", "json"]).json();
    let old_micros = 719_162 * 86_400_000_000 + 1;
    let expected = [
        (
            1,
            "old".to_owned(),
            old_micros,
            "62135596800.000001".to_owned(),
        ),
        (2, "open".to_owned(), 172_800_000_000, "172800".to_owned()),
    ];
    assert_eq!(holders(&report), expected);
}

#[test]
fn scores_are_written_as_parquet_with_the_question() {
    let folder = Folder::new();
    let [input, ..] = files(&folder, &plain());
    let output = folder.path("scores.parquet");
    let arguments = [
        "score",
        input.to_str().unwrap(),
        "--as-of",
        AS_OF,
        "--format",
        "parquet",
        "--output",
        output.to_str().unwrap(),
    ];
    assert_eq!(run(arguments).text(), "");
    let file = std::fs::File::open(&output).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let entries = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap()
        .clone();
    let as_of = entries.iter().find(|entry| entry.key == "as_of").unwrap();
    assert_eq!(as_of.value.as_deref(), Some("2025-07-21T00:01:40Z"));
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(
        batch.column_by_name("held_us").unwrap().data_type(),
        &DataType::Decimal128(38, 0)
    );
    let scores = batch.column_by_name("score").unwrap().as_string::<i32>();
    assert_eq!(scores.iter().collect::<Vec<_>>(), [Some("50"), Some("50")]);
    let ids = batch
        .column_by_name("holder_id")
        .unwrap()
        .as_string::<i32>();
    assert_eq!(ids.value(0), "-1");
}
