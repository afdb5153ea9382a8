//! `docs/errors.md` and the code say the same.

use corella_wire::ErrorCode;

use crate::Failure;

#[test]
fn every_code_is_documented_with_its_status() {
    let page = include_str!("../../../docs/errors.md");
    for code in ErrorCode::ALL {
        let status = Failure::new(*code, "").status().as_u16();
        let line = format!("| `{code}` | {status} | {}. ", code.title());
        assert!(page.contains(&line), "docs/errors.md lacks a line that starts with {line}");
    }
}
