//! From bytes to rows: any file is read to its end or refused with an error.
//!
//! Must hold: no panic, no endless loop, bounded memory.

#![no_main]

use ceknik::input::{ReadOptions, read_bytes};
use ceknik::rules::columns::ColumnSpec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Few inputs have known headers. With column numbers, the rows of any input are reached.
    let numbered = ReadOptions {
        no_header: true,
        id_column: Some(ColumnSpec::Index(1)),
        name_column: Some(ColumnSpec::Index(2)),
        ..ReadOptions::default()
    };
    for options in [ReadOptions::default(), numbered] {
        // An input may be refused.
        let _ = read_bytes(bytes, &options);
    }
});
