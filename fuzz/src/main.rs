//! The targets as libFuzzer drives them: `CORELLA_FUZZ_TARGET` names one.
#![no_main]

use std::{env, panic, process, sync::OnceLock};

use corella_fuzz::Target;
use libfuzzer_sys::fuzz_target;
use rustix::process::{Resource, Rlimit, setrlimit};

/// Most memory of the process, in bytes; as a guard has it.
const MOST_MEMORY: u64 = 2 << 30;

static TARGET: OnceLock<Target> = OnceLock::new();

/// Chooses the target, and leaves panics to it: Loro's are caught where they may happen.
fn begin() {
    panic::set_hook(Box::new(|_| {}));
    let target = env::var("CORELLA_FUZZ_TARGET").ok().and_then(|name| Target::named(&name));
    let Some(target) = target else { process::exit(2) };
    TARGET.get_or_init(|| target);
    let most = |amount| Rlimit { current: Some(amount), maximum: Some(amount) };
    if setrlimit(Resource::As, most(MOST_MEMORY)).and(setrlimit(Resource::Core, most(0))).is_err() {
        process::exit(3);
    }
}

fuzz_target!(init: begin(), |input: &[u8]| {
    if let Some(target) = TARGET.get() {
        // A panic that gets this far ends the process, and libFuzzer keeps the input.
        target.try_one(input);
    }
});
