//! How one list becomes another: which items stay, which move, which are new.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

/// How long a comparison may take; afterwards the rest counts as replaced.
const PATIENCE: Duration = Duration::from_millis(50);
/// Most items that are looked at for moves; each one that moves is searched for among all items.
const MOST_MOVED: usize = 1_000;

/// Where an item of the new list comes from, by its place in the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It stays, before and after the same neighbours that stay.
    Kept(usize),
    /// It stands in the place of another one, which becomes it.
    Edited(usize),
    /// It stood elsewhere.
    Moved(usize),
    /// It was not there.
    New,
}

/// Whether items may be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moves {
    Allowed,
    None,
}

/// Says for each item of `new` where it comes from, so that few operations lead there.
///
/// Each place of `old` is named at most once; those that are not named are to be removed.
pub(crate) fn origins(old: &[String], new: &[String], moves: Moves) -> Vec<Origin> {
    let mut names: HashMap<&str, u32> = HashMap::new();
    let mut name = |text| {
        let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
        *names.entry(text).or_insert(next)
    };
    let old_names: Vec<u32> = old.iter().map(|item| name(item)).collect();
    let new_names: Vec<u32> = new.iter().map(|item| name(item)).collect();

    let deadline = Instant::now() + PATIENCE;
    let operations = capture_diff_slices_deadline(Algorithm::Myers, &old_names, &new_names, Some(deadline));
    let mut origins = vec![Origin::New; new.len()];
    let mut replaced = Vec::new();
    let mut removed = Vec::new();
    for operation in operations {
        match operation {
            DiffOp::Equal { old_index, new_index, len } => {
                for offset in 0..len {
                    origins[new_index + offset] = Origin::Kept(old_index + offset);
                }
            }
            DiffOp::Delete { old_index, old_len, .. } => removed.extend(old_index..old_index + old_len),
            DiffOp::Insert { .. } => {}
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                removed.extend(old_index..old_index + old_len);
                replaced
                    .extend((0..old_len.min(new_len)).map(|offset| (old_index + offset, new_index + offset)));
            }
        }
    }
    let mut used = vec![false; old.len()];
    if moves == Moves::Allowed && removed.len() <= MOST_MOVED {
        let mut elsewhere: HashMap<u32, Vec<usize>> = HashMap::new();
        for place in removed.iter().rev() {
            elsewhere.entry(old_names[*place]).or_default().push(*place);
        }
        for (index, origin) in origins.iter_mut().enumerate() {
            if *origin == Origin::New
                && let Some(place) = elsewhere.get_mut(&new_names[index]).and_then(Vec::pop)
            {
                *origin = Origin::Moved(place);
                used[place] = true;
            }
        }
    }
    for (place, index) in replaced {
        if origins[index] == Origin::New && !used[place] {
            origins[index] = Origin::Edited(place);
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(old: &str, new: &str, moves: Moves, expected: &[Origin]) {
        let items = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        assert_eq!(origins(&items(old), &items(new), moves), expected, "{old} to {new}");
    }

    #[test]
    fn few_items_change() {
        use Origin::{Edited, Kept, Moved, New};
        check("abc", "abc", Moves::Allowed, &[Kept(0), Kept(1), Kept(2)]);
        check("abc", "axbc", Moves::Allowed, &[Kept(0), New, Kept(1), Kept(2)]);
        check("abc", "axc", Moves::Allowed, &[Kept(0), Edited(1), Kept(2)]);
        check("abcd", "bcda", Moves::Allowed, &[Kept(1), Kept(2), Kept(3), Moved(0)]);
        check("abcd", "bcda", Moves::None, &[Kept(1), Kept(2), Kept(3), New]);
        check("", "ab", Moves::Allowed, &[New, New]);
    }

    #[test]
    fn lists_without_resemblance_end_in_time() {
        let list =
            |factor: u64| (0..60_000_u64).map(|i| (i * factor % 60_013).to_string()).collect::<Vec<_>>();
        let origins = origins(&list(7), &list(11), Moves::None);
        assert_eq!(origins.len(), 60_000);
    }

    proptest! {
        #[test]
        fn each_place_is_used_once(old in "[a-e]{0,12}", new in "[a-e]{0,12}") {
            let items = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
            let (old, new) = (items(&old), items(&new));
            let mut used = Vec::new();
            let mut last = None;
            for (index, origin) in origins(&old, &new, Moves::Allowed).into_iter().enumerate() {
                match origin {
                    Origin::Kept(place) | Origin::Moved(place) => {
                        prop_assert_eq!(&old[place], &new[index]);
                        used.push(place);
                    }
                    Origin::Edited(place) => used.push(place),
                    Origin::New => {}
                }
                if let Origin::Kept(place) | Origin::Edited(place) = origin {
                    prop_assert!(last < Some(place), "what stays keeps its order");
                    last = Some(place);
                }
            }
            let count = used.len();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), count);
        }
    }
}
