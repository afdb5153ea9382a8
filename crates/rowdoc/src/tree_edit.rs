//! A tree brought to a wanted shape by few operations.

use std::collections::HashSet;

use loro::{LoroResult, LoroTree, TreeID, TreeParentId};

use crate::{
    json_edit,
    sequence::{Moves, Origin, origins},
    tree_value::Branch,
};

/// Edits the tree until it reads as `wanted`: nodes are matched by id, those without one are made, and those that are
/// not named go.
pub(crate) fn bring_to(tree: &LoroTree, wanted: &[Branch]) -> LoroResult<()> {
    let mut kept = HashSet::new();
    collect_ids(wanted, &mut kept);
    let before: HashSet<TreeID> = tree.nodes().into_iter().filter(|id| !kept.contains(id)).collect();
    place(tree, TreeParentId::Root, wanted)?;
    remove_others(tree, &kept, &before)
}

/// Makes a node with all below it, and answers with its id.
pub(crate) fn create(
    tree: &LoroTree,
    parent: TreeParentId,
    index: usize,
    branch: &Branch,
) -> LoroResult<TreeID> {
    let id = tree.create_at(parent, index)?;
    json_edit::bring_map(&tree.get_meta(id)?, &branch.data)?;
    for (index, child) in branch.children.iter().enumerate() {
        create(tree, TreeParentId::Node(id), index, child)?;
    }
    Ok(id)
}

fn collect_ids(branches: &[Branch], ids: &mut HashSet<TreeID>) {
    for branch in branches {
        ids.extend(branch.id);
        collect_ids(&branch.children, ids);
    }
}

/// Brings the children of `parent` to `wanted`, from the top down: a node is moved before what lies below it, so that
/// none is ever moved below itself.
fn place(tree: &LoroTree, parent: TreeParentId, wanted: &[Branch]) -> LoroResult<()> {
    let present = tree.children(parent).unwrap_or_default();
    let old: Vec<String> = present.iter().map(ToString::to_string).collect();
    let new: Vec<String> =
        wanted.iter().map(|branch| branch.id.map(|id| id.to_string()).unwrap_or_default()).collect();
    // Ids are unique, so that those which keep their order are the ones that need not move.
    let origins = origins(&old, &new, Moves::None);
    let mut before = None;
    for (branch, origin) in wanted.iter().zip(origins) {
        let id = match (branch.id, origin) {
            (Some(id), Origin::Kept(_)) => id,
            (Some(id), Origin::Edited(_) | Origin::Moved(_) | Origin::New) => {
                match before {
                    Some(before) => tree.mov_after(id, before)?,
                    None => tree.mov_to(id, parent, 0)?,
                }
                id
            }
            (None, _) => {
                let siblings = tree.children(parent).unwrap_or_default();
                let index = before
                    .and_then(|before| siblings.iter().position(|sibling| *sibling == before))
                    .map_or(0, |index| index + 1);
                let id = create(tree, parent, index, branch)?;
                before = Some(id);
                continue;
            }
        };
        before = Some(id);
        json_edit::bring_map(&tree.get_meta(id)?, &branch.data)?;
        place(tree, TreeParentId::Node(id), &branch.children)?;
    }
    Ok(())
}

/// Removes what was there before and is not kept; what lies below it is not kept either and goes with it.
fn remove_others(tree: &LoroTree, kept: &HashSet<TreeID>, before: &HashSet<TreeID>) -> LoroResult<()> {
    let mut parents = vec![TreeParentId::Root];
    while let Some(parent) = parents.pop() {
        for id in tree.children(parent).unwrap_or_default() {
            if kept.contains(&id) {
                parents.push(TreeParentId::Node(id));
            } else if before.contains(&id) {
                tree.delete(id)?;
            }
        }
    }
    Ok(())
}
