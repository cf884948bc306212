//! Bytes to rows: any file at all is read to its end or refused with an error. No panic, no hang, no
//! memory without bound.

#![no_main]

use ceknik::input::{Options, read_bytes};
use ceknik::rules::columns::ColumnSpec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Few inputs have headers that are known: by number the rows of any are reached.
    let numbered = Options {
        no_header: true,
        id_column: Some(ColumnSpec::Index(1)),
        name_column: Some(ColumnSpec::Index(2)),
        ..Options::default()
    };
    for options in [Options::default(), numbered] {
        // Refusing is as good as reading.
        let _ = read_bytes(bytes, &options);
    }
});
