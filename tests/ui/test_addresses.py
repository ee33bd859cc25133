"""Any text is one segment of an address, and comes back as it was."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from ui.addresses import segment, text_of

TEXT = st.text(st.sampled_from("./~%?#\\<é😀 ab") | st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT)
def test_a_text_comes_back(text):
    assert text_of(segment(text)) == text


@given(TEXT)
def test_a_segment_means_nothing_to_a_browser_a_server_or_a_file_system(text):
    found = segment(text)
    assert unquote(found) == found
    assert not set(found) & set("/\\?#%<>\"' ")
    assert found not in (".", "..")
