//! The checksums by which other tools tell whether a file changed since they applied it.

use std::fmt::Write;

use sha2::{Digest, Sha256, Sha384};

use super::format::Format;

/// What the tool may have recorded of a file with this text, as PostgreSQL prints it. None: the tool keeps no checksums.
pub(super) fn sums(format: Format, text: &str) -> Vec<String> {
    match format {
        Format::Sqlx => vec![format!("\\x{}", hex(&Sha384::digest(text)))],
        Format::Flyway => vec![flyway(text).to_string()],
        // Whatever line ends the file had where it was applied (prisma-engines, checksum.rs).
        Format::Prisma => {
            let unix = text.replace("\r\n", "\n");
            let sums = [text.to_owned(), unix.replace('\n', "\r\n"), unix];
            sums.iter().map(|text| hex(&Sha256::digest(text))).collect()
        }
        Format::Refinery | Format::Diesel | Format::GolangMigrate | Format::Dbmate => Vec::new(),
    }
}

/// CRC-32 of the lines without their ends, as Java's signed int (Flyway, `ChecksumCalculator`).
fn flyway(text: &str) -> i32 {
    let mut hasher = crc32fast::Hasher::new();
    for line in text.trim_start_matches('\u{feff}').split(['\r', '\n']) {
        hasher.update(line.as_bytes());
    }
    hasher.finalize().cast_signed()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "CREATE TABLE users ();\r\nSELECT 1;\r\n";

    /// By sha384sum, and by zlib's crc32 of the text without line ends.
    #[test]
    fn they_are_those_of_the_tools() {
        assert_eq!(sums(Format::Sqlx, "SELECT 1;\n"), [SQLX]);
        assert_eq!(sums(Format::Flyway, TEXT), [FLYWAY]);
        assert_eq!(sums(Format::Flyway, "\u{feff}CREATE TABLE users ();\nSELECT 1;"), [FLYWAY]);
        let windows = sums(Format::Prisma, TEXT);
        assert!(sums(Format::Prisma, &TEXT.replace('\r', "")).iter().all(|sum| windows.contains(sum)));
        assert!(windows.contains(&PRISMA.to_owned()));
        assert!(sums(Format::Dbmate, TEXT).is_empty());
    }

    const SQLX: &str =
        "\\x24454095d8d7876ca8e842f34296ca645c83e0f7b50f048c99db4b2ff4da659267afc4ef3e994f3d74e18c741165d931";
    const FLYWAY: &str = "-1653838795";
    const PRISMA: &str = "2a89ad9fc46f704d1a0e31bd16fce3c2419da87d7d6e1f9db4c3ba8f34b67bc8";
}
