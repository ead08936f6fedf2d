//! A COSE library of other makers reads and verifies what we sign.

use std::process::Command;

use onescan_gate::code;
use onescan_gate::keys::{Algorithm, hex};

use crate::support::{NOW_S, device, entitlement, issuer};

const PYTHON: &str = "ONESCAN_TEST_PYTHON";

#[test]
fn pycose_verifies_both_signatures_of_either_algorithm() {
    let Ok(python) = std::env::var(PYTHON) else { return };
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/read_ride_code.py");
    for algorithm in Algorithm::ALL {
        let device = device(algorithm);
        let text = code::show(&entitlement(&device).sign(&issuer()), NOW_S as u32, 77, &device);
        let read = Command::new(&python)
            .args([tool, &text, &hex(&issuer().public().bytes())])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&read.stdout);
        let expected = format!(
            "issued {} valid 21600 rules {} cap 2000 EUR shown {NOW_S} counter 77\n",
            NOW_S - 600,
            "a5".repeat(8)
        );
        assert_eq!(told, expected, "{}", String::from_utf8_lossy(&read.stderr));
        let stranger = hex(&[[2; 31].as_slice(), &[0]].concat());
        let refused = Command::new(&python).args([tool, &text, &stranger]).output().unwrap();
        assert!(!refused.status.success(), "a foreign key verifies nothing");
    }
}
