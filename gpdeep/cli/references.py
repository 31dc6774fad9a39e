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
    "poole2016exponential": """@inproceedings{poole2016exponential,
  title     = {Exponential Expressivity in Deep Neural Networks through Transient Chaos},
  author    = {Poole, Ben and Lahiri, Subhaneel and Raghu, Maithra and Sohl-Dickstein, Jascha and Ganguli, Surya},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {29},
  year      = {2016}
}""",
    "schoenholz2017deep": """@inproceedings{schoenholz2017deep,
  title     = {Deep Information Propagation},
  author    = {Schoenholz, Samuel S. and Gilmer, Justin and Ganguli, Surya and Sohl-Dickstein, Jascha},
  booktitle = {International Conference on Learning Representations},
  note      = {arXiv:1611.01232},
  year      = {2017}
}""",
    "yang2017mean": """@inproceedings{yang2017mean,
  title     = {Mean Field Residual Networks: On the Edge of Chaos},
  author    = {Yang, Greg and Schoenholz, Samuel S.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {30},
  year      = {2017}
}""",
    "hayou2019impact": """@inproceedings{hayou2019impact,
  title     = {On the Impact of the Activation Function on Deep Neural Networks Training},
  author    = {Hayou, Soufiane and Doucet, Arnaud and Rousseau, Judith},
  booktitle = {International Conference on Machine Learning},
  note      = {arXiv:1902.06853},
  year      = {2019}
}""",
    "murray2022activation": """@article{murray2022activation,
  title   = {Activation Function Design for Deep Networks: Linearity and Effective Initialisation},
  author  = {Murray, Michael and Abrol, Vinayak and Tanner, Jared},
  journal = {Applied and Computational Harmonic Analysis},
  note    = {arXiv:2105.07741},
  year    = {2022}
}""",
    "price2024deep": """@inproceedings{price2024deep,
  title     = {Deep Neural Network Initialization with Sparsity Inducing Activations},
  author    = {Price, Ilan and Daultry Ball, Nicholas and Lam, Samuel C. H. and Jones, Adam C. and Tanner, Jared},
  booktitle = {International Conference on Learning Representations},
  note      = {arXiv:2402.16184},
  year      = {2024}
}""",
    "fang2008novel": """@article{fang2008novel,
  title   = {A Novel Pricing Method for European Options Based on Fourier-Cosine Series Expansions},
  author  = {Fang, Fang and Oosterlee, Cornelis W.},
  journal = {SIAM Journal on Scientific Computing},
  volume  = {31},
  pages   = {826--848},
  year    = {2008}
}""",
    "jacot2024hamiltonian": """@article{jacot2024hamiltonian,
  title   = {Hamiltonian Mechanics of Feature Learning: Bottleneck Structure in Leaky {ResNets}},
  author  = {Jacot, Arthur and Kaiser, Alexandre},
  journal = {arXiv preprint arXiv:2405.17573},
  year    = {2024}
}""",
    "hairer2006geometric": """@book{hairer2006geometric,
  title     = {Geometric Numerical Integration: Structure-Preserving Algorithms for Ordinary Differential Equations},
  author    = {Hairer, Ernst and Lubich, Christian and Wanner, Gerhard},
  publisher = {Springer},
  edition   = {2},
  year      = {2006}
}""",
    "bertsekas1982constrained": """@book{bertsekas1982constrained,
  title     = {Constrained Optimization and {Lagrange} Multiplier Methods},
  author    = {Bertsekas, Dimitri P.},
  publisher = {Academic Press},
  year      = {1982}
}""",
    "mehmeti2023nonlinear": """@inproceedings{mehmeti2023nonlinear,
  title     = {Nonlinear Advantage: Trained Networks Might Not Be As Complex as You Think},
  author    = {Mehmeti-G{\\"o}pel, Christian H. X. Ali and Disselhoff, Jan},
  booktitle = {International Conference on Machine Learning},
  note      = {arXiv:2211.17180},
  year      = {2023}
}""",
    "holm1979simple": """@article{holm1979simple,
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  author  = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6},
  pages   = {65--70},
  year    = {1979}
}""",
}

REFERENCES = {
    "depth": ("jakub2023depth", "jakub2023network", "hanin2018products", "li2023differential", "cho2009kernel"),
    "maps": ("poole2016exponential", "schoenholz2017deep", "yang2017mean", "murray2022activation", "cho2009kernel"),
    "clip": ("price2024deep", "poole2016exponential", "schoenholz2017deep", "murray2022activation", "fang2008novel"),
    "geodesic": ("jacot2024hamiltonian", "hairer2006geometric", "bertsekas1982constrained"),
    "path-length": ("mehmeti2023nonlinear",),
    "check": ("hanin2018products", "poole2016exponential", "schoenholz2017deep", "holm1979simple"),
    "calibrate": ("jakub2023depth", "jakub2023network"),
    "eoc": ("poole2016exponential", "schoenholz2017deep", "yang2017mean", "hayou2019impact", "murray2022activation"),
}
