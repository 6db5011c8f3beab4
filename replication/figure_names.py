"""The figures that the notebooks save, by notebook: each one's name and the sentence that describes it."""

FIGURES: dict[str, dict[str, str]] = {
    "figures": {
        "sweeps": "Teacher and BAN over the number of parameters (tables 1 and 3).",
        "generations": "The sequence of generations with its ensembles (table 2).",
        "treatments": "BAN, BAN+L, CWTM and DKPP: difference to the teacher (table 2).",
        "cross_architecture": "Students of another architecture (tables 3, 4 and 5).",
        "agreement": "Reported and measured difference to the teacher over all cells.",
    },
    "dark_knowledge": {
        "gradient_shares": "Shares of the ground-truth and the dark-knowledge term over training.",
        "confidence_weights": "Distribution of the weights of CWTM and of equation 9.",
        "gradient_cosine": "Cosine of each treatment's gradient to BAN's over training.",
        "similarity_structure": "Mean teacher probability of the other classes, as taught and permuted.",
    },
}
