"""BibTeX of the publications that the commands' answers rest on."""

from __future__ import annotations

BIBTEX = {
    "jakub2023depth": """@article{jakub2023depth,
  title   = {Depth Degeneracy in Neural Networks: Vanishing Angles in Fully Connected ReLU Networks on Initialization},
  author  = {Jakub, Cameron and Nica, Mihai},
  journal = {arXiv preprint arXiv:2302.09712},
  year    = {2023}
}""",
    "jakub2023network": """@article{jakub2023network,
  title   = {Network Degeneracy as an Indicator of Training Performance: Comparing Finite and Infinite Width Angle
             Predictions},
  author  = {Jakub, Cameron and Nica, Mihai},
  journal = {arXiv preprint arXiv:2306.01513},
  year    = {2023}
}""",
    "hanin2018products": """@article{hanin2018products,
  title   = {Products of Many Large Random Matrices and Gradients in Deep Neural Networks},
  author  = {Hanin, Boris and Nica, Mihai},
  journal = {arXiv preprint arXiv:1812.05994},
  year    = {2018}
}""",
    "li2023differential": """@article{li2023differential,
  title   = {Differential Equation Scaling Limits of Shaped and Unshaped Neural Networks},
  author  = {Li, Mufan Bill and Nica, Mihai},
  journal = {arXiv preprint arXiv:2310.12079},
  year    = {2023}
}""",
    "cho2009kernel": """@inproceedings{cho2009kernel,
  title     = {Kernel Methods for Deep Learning},
  author    = {Cho, Youngmin and Saul, Lawrence K.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {22},
  year      = {2009}
}""",
}

REFERENCES = {
    "depth": ("jakub2023depth", "jakub2023network", "hanin2018products", "li2023differential", "cho2009kernel"),
}
