//! ceknik

pub mod sandbox;
