"""When a prediction and a measurement agree: verdicts with error rates, families of claims, planned replicates.

`compare` is for predictions with a declared truncation (AGREE, DISAGREE, INCONCLUSIVE), `compare_law` the same for
whole laws; `mean_test`, `law_test`, `same_law_test`, `count_test` and `frequency_test` are for exact laws, which
`consistent` judges (CONSISTENT, REJECTED, and what would have been noticed). `Family` judges claims of both kinds
together. `seed_scores` gives z-scores over seeds where the law has
moments that are known, `van_der_waerden` where it can be drawn from. `replicates_for_mean`, `replicates_for_law` and
`replicates_to_decide` plan; `verdict_probabilities` says what to expect. `cluster_bootstrap` and `permute_within` are
for scores of architectures over seeds.
"""

from .comparison import Agreement, compare
from .exact_results import ExactTest, TestKind
from .families import Family, consistent
from .family_verdicts import FamilyVerdicts, JudgedClaim
from .law_distance import compare_law
from .law_tests import frequency_test, law_test, same_law_test
from .location_tests import count_test, mean_test
from .normal_scores import van_der_waerden
from .operating import VerdictProbabilities, verdict_probabilities
from .planning import replicates_for_law, replicates_for_mean, replicates_to_decide
from .ranks import concordance, spearman, spearman_difference
from .resampling import BootstrapInterval, cluster_bootstrap
from .seeds import SeedScores, seed_scores
from .step_down import holm
from .strata import PermutationTest, permute_within
from .verdicts import Verdict

__all__ = [
    "Agreement",
    "BootstrapInterval",
    "ExactTest",
    "Family",
    "FamilyVerdicts",
    "JudgedClaim",
    "PermutationTest",
    "SeedScores",
    "TestKind",
    "Verdict",
    "VerdictProbabilities",
    "cluster_bootstrap",
    "compare",
    "compare_law",
    "concordance",
    "consistent",
    "count_test",
    "frequency_test",
    "holm",
    "law_test",
    "mean_test",
    "permute_within",
    "replicates_for_law",
    "replicates_for_mean",
    "replicates_to_decide",
    "same_law_test",
    "seed_scores",
    "spearman",
    "spearman_difference",
    "van_der_waerden",
    "verdict_probabilities",
]
