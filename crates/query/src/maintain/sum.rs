//! Sums that do not depend on the order in which they are added up.

/// Binary digits of one limb.
const DIGITS: usize = 32;
/// Binary digits behind the point: the smallest double is 2^-1074.
const FRACTION: i32 = 1_074;
/// Limbs that hold the largest double 2^64 times.
const LIMBS: usize = 70;
/// Additions after which limbs are brought back into their bounds.
const MOST_PENDING: u32 = 1 << 28;

/// An exact sum of doubles, from which what was added can be taken away again.
///
/// A sum of rounded doubles depends on the order of its parts, and taking one away again leaves a trace. This one is a
/// number of some 2,200 binary digits instead, and is rounded only when it is read.
#[derive(Debug, Clone)]
pub(super) struct ExactSum {
    limbs: Box<[i64]>,
    pending: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: vec![0; LIMBS].into(), pending: 0 }
    }
}

impl ExactSum {
    pub(super) fn add(&mut self, float: f64) {
        self.change(float, 1);
    }

    pub(super) fn take_away(&mut self, float: f64) {
        self.change(float, -1);
    }

    fn change(&mut self, float: f64, times: i64) {
        let bits = float.to_bits();
        let exponent = i32::try_from((bits >> 52) & 0x7FF).unwrap_or(0);
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match exponent {
            0 => (fraction, -FRACTION),
            normal => (fraction | (1 << 52), normal - 1_075),
        };
        let sign = if float.is_sign_negative() { -times } else { times };
        let shift = usize::try_from(exponent + FRACTION).unwrap_or(0);
        let (first, shift) = (shift / DIGITS, shift % DIGITS);
        let mut rest = u128::from(mantissa) << shift;
        for limb in &mut self.limbs[first..first + 3] {
            *limb += sign * i64::try_from(rest & 0xFFFF_FFFF).unwrap_or(0);
            rest >>= DIGITS;
        }
        self.pending += 1;
        if self.pending == MOST_PENDING {
            self.carry();
        }
    }

    /// Brings each limb but the last into 0 to 2^32.
    fn carry(&mut self) {
        let mut carried = 0;
        let last = self.limbs.len() - 1;
        for limb in &mut self.limbs[..last] {
            let sum = *limb + carried;
            carried = sum >> DIGITS;
            *limb = sum & 0xFFFF_FFFF;
        }
        self.limbs[last] += carried;
        self.pending = 0;
    }

    /// The double that is nearest to the sum, of two equally near ones the even one.
    pub(super) fn rounded(&self) -> f64 {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.limbs.last().is_some_and(|last| *last < 0);
        if negative {
            sum.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            sum.carry();
        }
        let Some(top) = sum.limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
        // The top three limbs have 65 digits or more; whether anything is below them decides a tie.
        let mut head: u128 = 0;
        for at in (0..3).map(|down| top.checked_sub(down)) {
            head = (head << DIGITS) | at.map_or(0, |at| u128::try_from(sum.limbs[at]).unwrap_or(0));
        }
        let below = top.checked_sub(3).is_some_and(|from| sum.limbs[..=from].iter().any(|limb| *limb != 0));
        let head = (head << 1) | u128::from(below);
        // The head's last digit but one stands for 2^exponent.
        let exponent = i32::try_from(top * DIGITS).unwrap_or(i32::MAX) - 2 * 32 - FRACTION;
        let rounded = scaled(head, exponent - 1);
        if negative { -rounded } else { rounded }
    }
}

/// `head` times 2^`exponent`, rounded once.
fn scaled(head: u128, exponent: i32) -> f64 {
    let length = i32::try_from(128 - head.leading_zeros()).unwrap_or(128);
    // Digits to drop: so many that 53 are left, or fewer for numbers below the smallest normal one.
    let drop = (length - 53).max(-FRACTION - exponent).max(0);
    let (kept, dropped) = match u32::try_from(drop).unwrap_or(0) {
        0 => (head, 0),
        many if many >= 128 => (0, head),
        few => (head >> few, head & ((1 << few) - 1)),
    };
    let half = if drop > 0 && drop <= 128 { 1_u128 << (drop - 1) } else { u128::MAX };
    let up = drop > 0 && (dropped > half || (dropped == half && kept & 1 == 1));
    let kept = kept + u128::from(up);
    #[expect(clippy::cast_precision_loss, reason = "at most 53 digits are kept")]
    let kept = kept as f64;
    let exponent = exponent + drop;
    // Two steps, since a power of two below the smallest normal one is not a double.
    let first = exponent.clamp(-1_000, 1_000);
    kept * 2_f64.powi(first) * 2_f64.powi(exponent - first)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn float() -> impl Strategy<Value = f64> {
        let any = any::<f64>().prop_filter("finite", |float| float.is_finite() && float.abs() < 1e300);
        prop_oneof![any, -100.0..100.0_f64, Just(5e-324), Just(f64::MIN_POSITIVE), Just(0.1), Just(1e16)]
    }

    #[test]
    fn known_sums() {
        let sum = |floats: &[f64]| {
            let mut sum = ExactSum::default();
            floats.iter().for_each(|float| sum.add(*float));
            sum.rounded()
        };
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(sum(&[-0.5, -0.25]), -0.75);
        assert_eq!(
            sum(&[9_007_199_254_740_992.0, 1.0]),
            9_007_199_254_740_992.0,
            "a tie goes to the even one"
        );
        assert_eq!(sum(&[9_007_199_254_740_992.0, 1.0, 5e-324]), 9_007_199_254_740_994.0);
    }

    proptest! {
        #[test]
        fn one_number_comes_back_and_two_are_rounded_once(one in float(), other in float()) {
            let mut sum = ExactSum::default();
            sum.add(one);
            prop_assert_eq!(sum.rounded(), one);
            sum.add(other);
            prop_assert_eq!(sum.rounded(), one + other);
        }

        #[test]
        fn neither_order_nor_what_was_taken_away_shows(mut floats in vec(float(), 0..20), gone in vec(float(), 0..20)) {
            let mut sum = ExactSum::default();
            floats.iter().chain(&gone).for_each(|float| sum.add(*float));
            gone.iter().for_each(|float| sum.take_away(*float));
            floats.reverse();
            let mut other = ExactSum::default();
            floats.iter().for_each(|float| other.add(*float));
            prop_assert_eq!(sum.rounded().to_bits(), other.rounded().to_bits());
        }
    }
}
