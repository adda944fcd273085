"""Names: parts, quantisations, and which of a repository's files is meant."""

from __future__ import annotations

import pytest

from tgicli.errors import ModelNotFound
from tgicli.models.names import HubName, choose, find, models, part_names, quant, stem

REPOSITORY = (
    "README.md",
    "Gem-3-1b-it-Q4_0.gguf",
    "Gem-3-1b-it-Q4_K_M.gguf",
    "Gem-3-1b-it-Q8_0.gguf",
    "Gem-3-1b-it-UD-Q4_K_XL.gguf",
    "mmproj-Gem-3-1b-it-Q8_0.gguf",
    "imatrix.gguf",
)
SPLIT = tuple(f"BF16/Big-BF16-0000{i}-of-00003.gguf" for i in (1, 2, 3))


@pytest.mark.parametrize(
    ("name", "repository", "selector"),
    [
        ("org/name", "org/name", None),
        ("org/name.v2-GGUF:Q4_K_M", "org/name.v2-GGUF", "Q4_K_M"),
        ("org/name:sub/file.gguf", "org/name", "sub/file.gguf"),
    ],
)
def test_a_hub_name_is_a_repository_and_a_selector(
    name: str, repository: str, selector: str | None
) -> None:
    parsed = HubName.parse(name)

    assert parsed == HubName(repository, selector)
    assert str(parsed) == name


@pytest.mark.parametrize(
    "name", ["name", "a/b/c", "org/", "/name", "org/name:", "http://h/x", "./x", "-a/b", ""]
)
def test_other_names_are_no_hub_names(name: str) -> None:
    assert HubName.parse(name) is None


def test_any_part_means_all_parts() -> None:
    assert part_names(SPLIT[1]) == SPLIT
    assert part_names("model.gguf") == ("model.gguf",)


@pytest.mark.parametrize("numbers", ["00000-of-00003", "00004-of-00003", "00001-of-99999"])
def test_impossible_part_numbers_are_part_of_a_name(numbers: str) -> None:
    assert part_names(f"m-{numbers}.gguf") == (f"m-{numbers}.gguf",)


def test_a_stem_is_what_people_call_the_file() -> None:
    assert stem("dir/Big-BF16-00002-of-00003.gguf") == "Big-BF16"
    assert stem("SmolLM2.Q4_1.gguf") == "SmolLM2.Q4_1"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("gem-3-1b-it-Q4_K_M.gguf", "Q4_K_M"),
        ("model.q8_0.gguf", "Q8_0"),
        ("model_iq2_xxs.gguf", "IQ2_XXS"),
        ("model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-f16.gguf", "F16"),
        ("model-BF16-00001-of-00002.gguf", "BF16"),
        ("Q6_K/model-00001-of-00002.gguf", "Q6_K"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("Qwen3-8B.gguf", None),
        ("tq-model.gguf", None),
    ],
)
def test_a_quantisation_is_read_from_a_file_name(file: str, expected: str | None) -> None:
    assert quant(file) == expected


def test_companions_and_later_parts_are_no_models() -> None:
    assert models((*REPOSITORY, *SPLIT)) == [SPLIT[0], *REPOSITORY[1:5]]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, "Gem-3-1b-it-Q4_K_M.gguf"),
        ("q8_0", "Gem-3-1b-it-Q8_0.gguf"),
        ("Q4_K_XL", "Gem-3-1b-it-UD-Q4_K_XL.gguf"),
        ("ud-q4_k_xl", "Gem-3-1b-it-UD-Q4_K_XL.gguf"),
        ("Gem-3-1b-it-Q4_0.gguf", "Gem-3-1b-it-Q4_0.gguf"),
        ("Q4", None),
        ("Q5_K_M", None),
        ("imatrix.gguf", None),
    ],
)
def test_a_selector_means_one_file_or_none(selector: str | None, expected: str | None) -> None:
    assert find(REPOSITORY, selector) == expected


@pytest.mark.parametrize("selector", [None, "BF16", SPLIT[2], "Big-BF16-00002-of-00003.gguf"])
def test_a_split_model_is_named_by_quantisation_or_any_part(selector: str | None) -> None:
    assert find(SPLIT, selector) == SPLIT[0]


def test_a_path_in_a_repository_is_exact_before_it_is_a_base_name() -> None:
    files = ("m.gguf", "old/m.gguf")

    assert find(files, "m.gguf") == "m.gguf"
    assert find(files, "old/m.gguf") == "old/m.gguf"


def test_a_quantisation_is_exact_before_it_is_a_word() -> None:
    assert find(("m-Q4_K_M.gguf", "m-UD-Q4_K_M.gguf"), "Q4_K_M") == "m-Q4_K_M.gguf"
    assert find(("m-UD-Q4_K_M.gguf",), "Q4_K_M") == "m-UD-Q4_K_M.gguf"


def test_a_preferred_quantisation_that_two_files_have_is_not_chosen() -> None:
    assert find(("a-Q4_K_M.gguf", "b-Q4_K_M.gguf", "b-Q8_0.gguf"), None) is None


def test_what_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(ModelNotFound) as caught:
        choose(REPOSITORY, HubName("org/gem", "Q5_K_M"))

    assert str(caught.value).splitlines() == [
        "org/gem has no models named Q5_K_M; name one of these:",
        *(f"  org/gem:{file}" for file in REPOSITORY[1:5]),
    ]


def test_what_is_ambiguous_is_refused_with_what_is_meant() -> None:
    with pytest.raises(ModelNotFound) as caught:
        choose(("a-Q4_K_M.gguf", "b-Q4_K_M.gguf", "b-Q8_0.gguf"), HubName("org/gem", "Q4_K_M"))

    assert str(caught.value).splitlines() == [
        "org/gem has 2 models named Q4_K_M; name one of these:",
        "  org/gem:a-Q4_K_M.gguf",
        "  org/gem:b-Q4_K_M.gguf",
    ]


def test_when_none_is_preferred_all_are_listed() -> None:
    with pytest.raises(ModelNotFound, match="several models and none is preferred") as caught:
        choose(("a-IQ1_S.gguf", "a-IQ2_M.gguf"), HubName("org/gem"))

    assert "org/gem:a-IQ2_M.gguf" in str(caught.value)


def test_a_repository_without_gguf_is_refused_with_a_hint() -> None:
    with pytest.raises(ModelNotFound, match=r"org/gem has no GGUF model; look for .*-GGUF"):
        choose(("model.safetensors",), HubName("org/gem"))
