"""Editing by mouse and by keys; each step can be undone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Request, Route, expect

from tests.editor.editor import Editor


def test_copies_leave_their_outer_links_behind_unless_asked(editor: Editor) -> None:
    for keys, links in [
        (("Control+c", "Control+v"), 10),
        (("Control+c", "Control+Shift+v"), 15),
        (("Control+d",), 10),
        (("Control+Shift+d",), 15),
    ]:
        editor.select("Sampler", "Decode")
        editor.keys(*keys)
        assert editor.size() == (9, links)
        editor.keys("Control+z")
        assert editor.size() == (7, 9)


def test_nodes_are_cut_into_another_tab_and_each_tab_keeps_its_view(editor: Editor) -> None:
    editor.select("Sampler")
    editor.keys("Control+x")
    expect(editor.node("Sampler")).to_have_count(0)
    before = editor.node("Decode").bounding_box()
    editor.page.get_by_role("button", name="New workflow").click()
    editor.keys("Control+v")
    expect(editor.node("Sampler")).to_be_visible()
    editor.page.get_by_role("tab").first.click()
    expect(editor.node("Decode")).to_be_visible()
    assert editor.node("Decode").bounding_box() == before


def test_nodes_are_muted_and_bypassed(editor: Editor) -> None:
    sampler = editor.node("Sampler")
    editor.select("Sampler")
    editor.keys("Control+b")
    expect(sampler).to_have_attribute("data-mode", "bypassed")
    expect(sampler.locator("svg.ghost path")).to_have_count(1)
    editor.keys("Control+m")
    expect(sampler).to_have_attribute("data-mode", "muted")
    editor.keys("Control+z", "Control+z")
    expect(sampler).to_have_attribute("data-mode", "always")


def test_numbers_take_arithmetic_and_become_inputs_and_back(editor: Editor) -> None:
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    steps.fill("4*5+2")
    steps.press("Enter")
    expect(steps).to_have_value("22")
    steps.fill("nonsense")
    expect(steps).to_have_attribute("aria-invalid", "true")
    steps.press("Escape")
    expect(steps).to_have_value("22")
    row = editor.node("Sampler").locator(".widget-row", has_text="steps")
    editor.menu(row, "Make it an input")
    expect(steps).to_have_count(0)
    editor.drag(editor.socket("Sampler", "Input steps"), (420, 600))
    search = editor.page.get_by_role("combobox", name="Nodes that fit INT")
    search.fill("PrimitiveInt")
    editor.keys("Enter")
    expect(editor.wires).to_have_count(10)
    editor.keys("Control+z")
    expect(editor.wires).to_have_count(9)
    editor.menu(row, "Make it a field again")
    expect(steps).to_have_value("22")


def test_undo_works_in_a_field_that_was_just_set_and_leaves_what_is_being_typed_alone(
    editor: Editor,
) -> None:
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    told = editor.page.get_by_role("textbox", name="Sampling steps")
    steps.click()
    for typed in ("30", "40"):
        editor.keys("Control+a")
        editor.page.keyboard.type(typed)
        editor.keys("Enter")
        expect(told).to_have_value(typed)
    editor.keys("Control+z")
    expect(told).to_have_value("30")
    editor.keys("Control+z")
    expect(told).to_have_value("20")
    expect(steps).to_have_value("20")
    editor.keys("Control+y")
    expect(told).to_have_value("30")
    editor.page.keyboard.type("7")
    editor.keys("Control+z")
    expect(steps).to_have_value("30")
    expect(told).to_have_value("30")

    method = editor.page.get_by_role("combobox", name="Sampling method")
    method.focus()
    editor.keys("Home")
    expect(editor.node("Sampler").get_by_role("combobox", name="sampler name")).to_have_text(
        method.input_value()
    )
    expect(method).not_to_have_value("dpmpp_2m")
    editor.keys("Control+z")
    expect(method).to_have_value("dpmpp_2m")


def test_keys_of_an_input_method_are_no_shortcuts(editor: Editor) -> None:
    text = editor.node("Prompt").get_by_role("textbox")
    text.fill("")
    keyboard = editor.page.context.new_cdp_session(editor.page)
    composed = {"text": "ねこ", "selectionStart": 2, "selectionEnd": 2}
    keyboard.send("Input.imeSetComposition", composed)
    for key in ("Delete", "m"):
        event = {"type": "rawKeyDown", "key": key, "windowsVirtualKeyCode": 229}
        keyboard.send("Input.dispatchKeyEvent", event)
    keyboard.send("Input.insertText", {"text": "猫"})
    expect(text).to_have_value("猫")
    assert editor.size() == (7, 9)


def test_nodes_are_copied_into_another_window(open_editor: Callable[..., Editor]) -> None:
    first, second = open_editor(), open_editor()
    first.select("Sampler", "Decode")
    first.keys("Control+c")
    second.empty()
    second.page.locator("section.canvas").focus()
    second.keys("Control+v")
    expect(second.nodes).to_have_count(2)
    expect(second.wires).to_have_count(1)


def press(editor: Editor, key: str, times: int) -> None:
    """Ctrl with a key, so often at once."""
    editor.page.evaluate(
        """([key, times]) => {
          for (let time = 0; time < times; time += 1)
            window.dispatchEvent(new KeyboardEvent("keydown", {key, ctrlKey: true}));
        }""",
        [key, times],
    )


def test_everything_is_undone_step_by_step_more_than_two_hundred_times(editor: Editor) -> None:
    before = editor.drawn()
    editor.keys("Escape")
    editor.select("Sampler")
    press(editor, "m", 201)
    expect(editor.node("Sampler")).to_have_attribute("data-mode", "muted")
    text = editor.node("Prompt").get_by_role("textbox")
    text.fill("")
    text.press_sequentially("a long word")
    editor.keys("Escape", "Control+z")
    expect(text).not_to_have_text("a long word")
    expect(text).to_have_text("a red heart in the center, white background, sharp")
    press(editor, "z", 201)
    assert editor.drawn() == before


def test_nodes_are_aligned_spread_snapped_and_locked(editor: Editor) -> None:
    def lefts() -> list[float]:
        chosen = ("Prompt", "Negative prompt", "Sampler")
        return [editor.node(title).bounding_box()["x"] for title in chosen]  # type: ignore[index]

    editor.select("Prompt", "Negative prompt", "Sampler")
    editor.node("Sampler").get_by_role("heading").click(button="right")
    editor.page.get_by_role("menuitem", name="Align").press("ArrowRight")
    editor.page.get_by_role("menuitem", name="Left edges").click()
    assert len({round(x) for x in lefts()}) == 1
    editor.keys("Control+z", "Escape")
    assert len({round(x) for x in lefts()}) == 2

    editor.keys("s")
    editor.drag_by(editor.node("Sampler").get_by_role("heading"), 33, 57)
    sampler = next(node for node in editor.drawn()["nodes"] if node["title"] == "Sampler")
    assert [part % 10 for part in sampler["position"]] == [0, 0]
    before = editor.drawn()
    editor.keys("Escape")
    editor.page.get_by_role("button", name="Lock the canvas").click()
    editor.drag_by(editor.node("Sampler").get_by_role("heading"), 60, 60)
    editor.drag(
        editor.socket("Load checkpoint", "Output MODEL"),
        editor.page.locator("section.canvas"),
    )
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    assert editor.drawn() == before


def test_a_node_is_replaced_and_keeps_its_links_and_values(editor: Editor) -> None:
    editor.menu(editor.node("Sampler").get_by_role("heading"), "Replace with")
    editor.page.get_by_role("combobox", name="Replace with").fill("KSamplerAdvanced")
    editor.keys("Enter")
    found = editor.drawn()
    sampler = next(node for node in found["nodes"] if node["title"] == "Sampler")
    assert sampler["type"] == "KSamplerAdvanced"
    assert len(found["links"]) == 9
    assert (sampler["values"]["steps"], sampler["values"]["cfg"]) == (20, 2)


def test_numbers_are_dragged_weights_raised_and_embeddings_completed(editor: Editor) -> None:
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    editor.drag_by(steps, 30, 0)
    assert 23 <= int(steps.input_value()) <= 26
    editor.keys("Control+z")
    expect(steps).to_have_value("20")

    text = editor.node("Prompt").get_by_role("textbox")
    text.fill("a cat")
    editor.keys("Control+ArrowUp", "Control+ArrowUp")
    expect(text).to_have_text("a (cat:1.1)")
    expect(editor.node("Prompt").locator(".prompt-weight").first).to_be_attached()
    editor.keys("Control+ArrowDown", "Control+ArrowDown")
    expect(text).to_have_text("a cat")
    editor.keys("Control+ArrowUp", "Control+z")
    expect(text).to_have_text("a cat")
    text.fill("")
    text.press_sequentially("embedding:")
    offered = editor.page.get_by_role("listbox", name="Embeddings").get_by_role("option")
    name = offered.first.inner_text()
    editor.keys("Enter")
    expect(text).to_have_text(f"embedding:{name}")
    editor.keys("Control+z")
    expect(text).to_have_text("embedding:")
    editor.keys("Control+Shift+z")
    expect(text).to_have_text(f"embedding:{name}")
    expect(editor.node("Prompt").locator(".prompt-embedding")).to_have_text(f"embedding:{name}")


def test_an_input_method_composes_in_every_kind_of_field(editor: Editor) -> None:
    keyboard = editor.page.context.new_cdp_session(editor.page)

    def compose(kana: str, chosen: str) -> None:
        cursor = len(kana)
        composed = {"text": kana, "selectionStart": cursor, "selectionEnd": cursor}
        keyboard.send("Input.imeSetComposition", composed)
        enter = {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229}
        keyboard.send("Input.dispatchKeyEvent", enter)
        keyboard.send("Input.insertText", {"text": chosen})

    editor.select("Sampler")
    editor.keys("F2")
    compose("さんぷる", "試料")
    editor.keys("Enter")
    expect(editor.node("試料")).to_be_visible()

    steps = editor.node("試料").get_by_role("spinbutton", name="steps")
    steps.fill("")
    compose("１２", "１２")
    editor.keys("Enter", "Escape")
    expect(steps).to_have_value("12")

    editor.keys("Insert")
    search = editor.page.get_by_role("combobox", name="Add a node")
    compose("がぞう", "画像を保存")
    expect(search).to_have_value("画像を保存")
    editor.keys("Enter")
    expect(editor.node("Save Image")).to_be_visible()

    editor.menu((300, 580), "Add note")
    note = editor.page.locator("article.note").get_by_role("textbox")
    note.focus()
    compose("めも", "覚え書き")
    expect(note).to_have_value("覚え書き")


def add(editor: Editor, name: str) -> None:
    """Add the node that the search finds first."""
    editor.keys("Insert")
    editor.page.get_by_role("combobox", name="Add a node").fill(name)
    editor.keys("Enter")


def test_a_colour_is_picked_and_a_number_all_the_same(editor: Editor) -> None:
    editor.empty()
    add(editor, "EmptyImage")
    node = editor.node("EmptyImage")
    node.locator("input[type=color]").fill("#ff8000")
    expect(node.get_by_role("spinbutton", name="color")).to_have_value("16744448")
    editor.keys("Control+z")
    expect(node.get_by_role("spinbutton", name="color")).to_have_value("0")


def test_a_seed_of_minus_one_is_drawn_and_others_count_on_after_a_run(editor: Editor) -> None:
    editor.select("Save picture")
    editor.keys("Delete")
    sampler = editor.node("Sampler")
    seed = sampler.get_by_role("textbox", name="seed")
    sampler.get_by_role("spinbutton", name="steps").fill("1")
    editor.keys("Enter", "Escape")
    add(editor, "PreviewImage")
    editor.drag(
        editor.socket("Decode", "Output IMAGE"), editor.socket("Preview Image", "Input images")
    )
    sampler.get_by_role("combobox", name="What happens to the seed").click()
    editor.page.get_by_role("option", name="+1").click()
    seed.fill("41")
    assert drawn_seed(editor) == 41
    expect(seed).to_have_value("42")
    seed.fill("-1")
    first = drawn_seed(editor)
    expect(seed).to_have_value("-1")
    assert first >= 0
    assert drawn_seed(editor) != first


def test_a_seed_counts_on_though_one_goes_to_another_tab_while_the_run_is_sent(
    editor: Editor,
) -> None:
    page = editor.page
    editor.node("Sampler").get_by_role("combobox", name="What happens to the seed").click()
    page.get_by_role("option", name="+1").click()
    seed = editor.node("Sampler").get_by_role("textbox", name="seed")
    seed.fill("51")
    editor.keys("Enter")
    sent: list[Route] = []

    def is_sent(asked: Request) -> bool:
        return asked.method == "POST" and asked.url.endswith("/api/v1/jobs")

    page.route(
        "**/api/v1/jobs",
        lambda route: sent.append(route) if is_sent(route.request) else route.continue_(),
    )
    with page.expect_request(is_sent):
        editor.keys("Control+Enter")
    page.get_by_role("button", name="New workflow").click()
    expect(editor.nodes).to_have_count(0)
    with page.expect_response(lambda answer: is_sent(answer.request)):
        sent[0].continue_()
    page.unroute("**/api/v1/jobs")
    page.get_by_role("tab").first.click()
    expect(seed).to_have_value("52")


def drawn_seed(editor: Editor) -> int:
    """The seed of a run."""
    prompt = editor.run()["prompt"]
    return next(int(n["inputs"]["seed"]) for n in prompt.values() if "seed" in n["inputs"])


def test_the_view_is_moved_by_the_overview_and_shown_whole_again(editor: Editor) -> None:
    last = editor.node("Save picture")
    expect(last).to_be_in_viewport(ratio=0.99)
    editor.page.locator(".minimap").click(position={"x": 2, "y": 20})
    expect(last).not_to_be_in_viewport(ratio=0.99)
    editor.keys("Shift+1")
    expect(last).to_be_in_viewport(ratio=0.99)
    editor.keys("m")
    expect(editor.page.locator(".minimap")).to_have_count(0)
