"""What a question cell takes, shows and refuses."""

import numpy as np
import pytest
import torch

from helpers import guess

YES_NO = {"yes": "It is more.", "no": "It is `less`, & <fewer>."}


def test_a_choice_is_shown_with_every_sentence():
    asked = guess("yes", YES_NO)
    assert repr(asked) == "Answer: yes\nyes: It is more.\nno: It is `less`, & <fewer>."
    assert asked._repr_html_() == (
        '<div class="guess"><p>Answer: <b>yes</b></p><dl>'
        "<dt>yes</dt><dd>It is more.</dd>"
        "<dt>no</dt><dd>It is <code>less</code>, &amp; &lt;fewer&gt;.</dd></dl></div>"
    )


@pytest.mark.parametrize(
    ("answer", "shown", "tolerance"),
    [
        (650, "650", "0"),
        (np.int64(650), "650", "0"),
        (1_179_648, "1,179,648", "0"),
        (650.0, "650", "0"),
        (-3, "-3", "0"),
        (0, "0", "0"),
        (0.69314718, "0.693", "0.01"),
        (np.float32(0.69314718), "0.693", "0.01"),
        (12345.6, "12,346", "0.01"),
        (1.25e-5, "1.25e-05", "0.01"),
    ],
)
def test_a_number_is_shown_with_few_digits(answer, shown, tolerance):
    asked = guess(answer, {7: "That is a week."})
    assert repr(asked) == f"Answer: {shown}\n7: That is a week."
    assert f'data-tolerance="{tolerance}"' in asked._repr_html_()


def test_a_number_needs_no_option_and_may_have_a_tolerance():
    assert repr(guess(88.0, {}, tolerance=0.05)) == "Answer: 88"
    assert 'data-tolerance="0.05"' in guess(88.0, {}, tolerance=0.05)._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("maybe", YES_NO), ValueError, "answer is 'maybe', options are ['yes', 'no']"),
        (("yes", {"yes": "It is."}), ValueError, "give at least two"),
        (("yes", {"yes": "It is.", 2: "Two."}), TypeError, "an option is 2: give text"),
        (("yes", YES_NO, 0.1), ValueError, "tolerance=0.1: only a number has one"),
        ((True, {}), TypeError, "answer is True: give an int or a float"),
        ((np.bool_(True), {}), TypeError, "give an int or a float"),
        ((torch.tensor(3), {}), TypeError, "of a tensor its item()"),
        ((None, {}), TypeError, "answer is None"),
        ((float("nan"), {}), ValueError, "answer is nan: give a finite number"),
        ((5, {float("inf"): "Much."}), ValueError, "an option is inf"),
        ((5, {True: "One."}), TypeError, "an option is True"),
        ((5, {"6": "Six."}), TypeError, "an option is '6': give an int or a float"),
        ((5, {5: "Five."}), ValueError, "option 5 is not told apart from the answer 5"),
        ((0.5, {0.501: "Half."}), ValueError, "tolerance=0.01: drop it"),
        ((5, {10: "Ten.", 11: "Near."}, 0.1), ValueError, "from the option 10 with"),
        ((5, {}, 1), ValueError, "tolerance=1: give one from 0 to below 1"),
        ((5, {}, -0.1), ValueError, "tolerance=-0.1"),
        ((5, {}, "few"), TypeError, "tolerance is 'few'"),
        ((5, {6: " "}), TypeError, "options[6] is ' ': give a sentence"),
        ((5, {6: 7}), TypeError, "options[6] is 7: give a sentence"),
        ((5, [6, 7]), TypeError, "options=[6, 7]: give a dict"),
    ],
)
def test_what_is_wrong_is_named(arguments, error, words):
    with pytest.raises(error) as caught:
        guess(*arguments)
    assert words in str(caught.value)
