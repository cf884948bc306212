//! ceknik
