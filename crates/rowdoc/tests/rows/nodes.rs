//! Documents: an editor's node tree as lines and as nodes.

use loro::{LoroMap, LoroText};
use serde_json::{Value as Json, json};

use crate::support::{Client, json, new_note, object};

fn doc(content: Json) -> Json {
    json!({"type": "doc", "content": content})
}

fn paragraph(text: &str) -> Json {
    if text.is_empty() {
        return json!({"type": "paragraph"});
    }
    json!({"type": "paragraph", "content": [{"type": "text", "text": text}]})
}

#[test]
fn a_new_document_is_one_empty_paragraph() {
    let row = new_note();
    assert_eq!(row.rich_json("page").unwrap(), Some(doc(json!([paragraph("")]))));
    assert_eq!(json(&row, "page"), "");
    assert_eq!(row.rich_json("title").unwrap(), None);
}

/// loro-prosemirror reads `nodeName`, the map `attributes` and the list `children`; each paragraph has a text, so that
/// two who write its first letters at the same time write into one.
#[test]
fn the_shape_is_that_of_loro_prosemirror() {
    let mut row = new_note();
    row.patch(&object(json!({"page": "one\n\ntwo"}))).unwrap();
    let client = Client::of(&row, 7);
    let page = client.row().ensure_mergeable_map("page").unwrap();
    assert_eq!(
        serde_json::to_value(page.get_deep_value()).unwrap(),
        json!({"nodeName": "doc", "attributes": {}, "children": [
            {"nodeName": "paragraph", "attributes": {}, "children": ["one"]},
            {"nodeName": "paragraph", "attributes": {}, "children": [""]},
            {"nodeName": "paragraph", "attributes": {}, "children": ["two"]},
        ]})
    );
}

#[test]
fn lines_read_as_they_were_written() {
    let mut row = new_note();
    for text in
        ["", "one", "one\ntwo", "one\n\n\ntwo\n", "\n", "two", "zwei\ntwo", "a\nb\nc\nd", "a\nc\nd", "x\ny"]
    {
        row.patch(&object(json!({ "page": text }))).unwrap();
        assert_eq!(json(&row, "page"), text);
    }
}

#[test]
fn blocks_whose_lines_stay_stay_as_they_are() {
    let mut row = new_note();
    let heading =
        json!({"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Title"}]});
    let list = json!({"type": "bullet_list", "content": [
        {"type": "list_item", "content": [paragraph("first")]},
        {"type": "list_item", "content": [paragraph("second")]},
    ]});
    row.patch(&object(json!({"page": doc(json!([heading, list, paragraph("end")]))}))).unwrap();
    assert_eq!(json(&row, "page"), "Title\nfirst\nsecond\nend");
    row.patch(&object(json!({"page": "Titles\nfirst\nsecond\nnew\nend"}))).unwrap();
    let heading =
        json!({"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Titles"}]});
    assert_eq!(
        row.rich_json("page").unwrap(),
        Some(doc(json!([
            heading,
            paragraph("first"),
            paragraph("second"),
            paragraph("new"),
            paragraph("end")
        ])))
    );
}

#[test]
fn an_edited_line_keeps_its_block_its_marks_and_what_others_type_in_it() {
    let mut row = new_note();
    let marked = json!({"type": "paragraph", "content": [
        {"type": "text", "text": "plain "},
        {"type": "text", "text": "bold", "marks": [{"type": "strong"}]},
        {"type": "text", "text": " link", "marks": [{"type": "link", "attrs": {"href": "/x"}}]},
    ]});
    let page = doc(json!([paragraph("above"), marked, paragraph("below")]));
    row.patch(&object(json!({ "page": page }))).unwrap();
    assert_eq!(row.rich_json("page").unwrap(), Some(page.clone()));
    assert!(
        row.patch(&object(json!({ "page": page }))).unwrap().is_empty(),
        "an equal tree makes no operation"
    );

    let mut client = Client::of(&row, 7);
    let blocks =
        client.row().ensure_mergeable_map("page").unwrap().ensure_mergeable_list("children").unwrap();
    let block = blocks.get(1).unwrap().into_container().unwrap().into_map().unwrap();
    let runs = block.get("children").unwrap().into_container().unwrap().into_list().unwrap();
    let text = runs.get(0).unwrap().into_container().unwrap().into_text().unwrap();
    text.insert(0, "typed, ").unwrap();

    row.patch(&object(json!({"page": "above\nplain bold new link\nbelow"}))).unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "page"), "above\ntyped, plain bold new link\nbelow");
    let tree = row.rich_json("page").unwrap().unwrap();
    let strong = &tree["content"][1]["content"][1];
    assert_eq!(strong["marks"], json!([{"type": "strong"}]), "{tree}");
}

#[test]
fn marks_can_be_set_changed_and_removed() {
    let mut row = new_note();
    let with = |marks: Json| {
        doc(json!([{"type": "paragraph", "content": [
            {"type": "text", "text": "ab", "marks": marks}, {"type": "text", "text": "cd"},
        ]}]))
    };
    for marks in [
        json!([{"type": "link", "attrs": {"href": "/x"}}]),
        json!([{"type": "link", "attrs": {"href": "/y"}}, {"type": "em"}]),
        json!([{"type": "em"}]),
    ] {
        row.patch(&object(json!({"page": with(marks.clone())}))).unwrap();
        let read = row.rich_json("page").unwrap().unwrap();
        let mut read_marks = read["content"][0]["content"][0]["marks"].as_array().unwrap().clone();
        let mut marks = marks.as_array().unwrap().clone();
        for marks in [&mut read_marks, &mut marks] {
            marks.sort_by_key(|mark| mark["type"].to_string());
        }
        assert_eq!(read_marks, marks);
        assert_eq!(read["content"][0]["content"][1], json!({"type": "text", "text": "cd"}));
    }
    row.patch(&object(json!({"page": doc(json!([paragraph("abcd")]))}))).unwrap();
    assert_eq!(row.rich_json("page").unwrap(), Some(doc(json!([paragraph("abcd")]))));
}

#[test]
fn trees_of_both_spellings_are_taken() {
    let mut row = new_note();
    let tree = json!({"nodeName": "doc", "attributes": {}, "children": [
        {"nodeName": "paragraph", "attributes": {"align": "left", "id": null}, "children": ["one ", "line"]},
        {"nodeName": "paragraph", "children": ["a", {"nodeName": "hard_break"}, "b"]},
    ]});
    row.patch(&object(json!({ "page": tree }))).unwrap();
    assert_eq!(json(&row, "page"), "one line\na\nb");
    let read = row.rich_json("page").unwrap().unwrap();
    assert_eq!(read["content"][0]["attrs"], json!({"align": "left"}));
}

#[test]
fn what_is_no_tree_is_refused() {
    let mut row = new_note();
    for bad in [
        json!(1),
        json!([]),
        json!({}),
        json!({"type": ""}),
        json!({"type": "doc", "contents": []}),
        json!({"type": "doc", "content": [1]}),
        json!({"type": "doc", "content": [{"type": "text", "text": ""}]}),
        json!({"type": "doc", "content": [{"type": "text"}]}),
        json!({"type": "doc", "content": [{"type": "text", "text": "x", "marks": [1]}]}),
    ] {
        let refusal = row.patch(&object(json!({ "page": bad }))).unwrap_err();
        assert_eq!(refusal.code(), "invalid_value", "{refusal}");
    }
    let deep = (0..200).fold(paragraph("x"), |inner, _| json!({"type": "blockquote", "content": [inner]}));
    assert_eq!(row.patch(&object(json!({"page": doc(json!([deep]))}))).unwrap_err().code(), "too_deep");
    assert_eq!(json(&row, "page"), "");
}

#[test]
fn what_editors_of_another_shape_leave_shows_nothing() {
    let mut row = new_note();
    let mut client = Client::of(&row, 7);
    let blocks =
        client.row().ensure_mergeable_map("page").unwrap().ensure_mergeable_list("children").unwrap();
    blocks.push("a plain value").unwrap();
    blocks.push_container(LoroMap::new()).unwrap();
    blocks.push_container(LoroText::new()).unwrap().insert(0, "bare").unwrap();
    row.import(&client.update()).unwrap();
    assert!(row.project().is_ok());
    row.patch(&object(json!({"page": "mended"}))).unwrap();
    assert_eq!(json(&row, "page"), "mended");
}
