"""The evidence that is kept: complete, from a known commit, and what speaks against theory is told in the README."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="validation trains networks")

from validation.claim import BAD, GOOD, Kind
from validation.evidence import RESULTS, all_evidence
from validation.report import markdown, page

EVIDENCE = all_evidence()
README = (Path(__file__).parents[2] / "README.md").read_text()
OPEN = {"INCONCLUSIVE", "REPORTED", "SUPPORTED", "REVERSED"}
VERDICTS = {
    Kind.PREDICTION: {"AGREE", "DISAGREE", "INCONCLUSIVE"},
    Kind.LAW: {"CONSISTENT", "REJECTED", "INCONCLUSIVE"},
    Kind.BAR: {"MET", "MISSED"},
    Kind.CONTROL: {"REFUSED", "NOT REFUSED", "CONSISTENT", "REJECTED"},
    Kind.REPORT: OPEN,
}
pytestmark = pytest.mark.skipif(not RESULTS.is_dir(), reason="evidence lies in a checkout only")


@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda e: f"{e.id}-{e.settings['size']}")
def test_every_unit_has_a_result_and_every_claim_a_verdict_of_its_kind(evidence):
    assert evidence.done == evidence.units
    assert not evidence.failures
    assert evidence.commit
    assert len({claim.id for claim in evidence.claims}) == len(evidence.claims)
    for claim in evidence.claims:
        assert claim.id.startswith(evidence.id)
        assert claim.verdict in VERDICTS[claim.kind], claim.id
        assert claim.good == (True if claim.verdict in GOOD else False if claim.verdict in BAD else None)


def test_what_speaks_against_theory_is_told_in_the_readme():
    told = README.split("What speaks against theory there")[1].split("\n## ")[0]
    for evidence in EVIDENCE:
        for claim in evidence.claims:
            if claim.good is False:
                assert f"`{claim.id}`" in told, claim.id


def test_the_report_can_be_made_of_it():
    text, plain = page(EVIDENCE), markdown(EVIDENCE)
    for evidence in EVIDENCE:
        for claim in evidence.claims:
            assert claim.id in text
            assert claim.id in plain
