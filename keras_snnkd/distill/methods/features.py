"""Presets of methods that compare the features of a hidden layer; equations in `objectives/features.py`, `blurred.py`, `saliency.py`."""

from keras_snnkd.distill.methods.method import Method, objective, soft_targets

METHODS = (
    Method(
        "kdsnn",
        (objective("feature_map", 10.0),),
        source="Xu et al., CVPR 2023, arXiv:2304.05627",
        summary="Rate features of the last layer. Layer and weight are our choice; its response part is the method hinton.",
        equation="CE + 10 mean (F_S - F_T)^2",
    ),
    Method(
        "bkdsnn",
        (objective("blurred_feature", 2e-3), objective("weighted_soft_targets", temperature=2.0)),
        source="Xu et al., ECCV 2024, arXiv:2407.09083",
        trust="official code",
        summary="Features restored from blurred ones, and soft targets for what the student gets wrong. Weights of its CIFAR code.",
        equation="CE + 0.002 sum (G(M F_S) - F_T)^2 + w tau^2 SoftCE(p_T, p_S), tau = 2",
    ),
    Method(
        "ckdsnn",
        (objective("saliency_map"), objective("noisy_soft_targets", temperature=2.0, noise=0.1)),
        source="Liu et al., AAAI 2026, arXiv:2511.06902",
        summary="Maps of what the class depends on (SAMD), and soft targets against noisy logits (NLD), both equal to the code's. There "
        "the student's last block ends in a ReLU, here in neurons that spike.",
        equation="CE + KL(M_T || M_S) + tau^2 KL(p_T || 0.9 p_S + 0.1 p_noise), tau = 2",
    ),
    Method(
        "sakd",
        (objective("feature_map", 100.0, teacher_tap="stages", transform=3),),
        teacher="twin",
        source="Qiu et al., Neural Networks 178, 2024",
        trust="official code",
        summary="Rate features of every stage, each behind a trained 3x3 convolution with batch norm, from the student's own ANN twin, as "
        "in its CIFAR code, which copies no weights. A stage of a network without residual stages is our choice: up to the next smaller "
        "map.",
        equation="CE + 100 sum over stages of mean (BN(W F_S) - F_T)^2",
    ),
    Method(
        "sakd_imagenet",
        (
            objective(
                "feature_map",
                {"schedule": "first_batches", "before": 10.0, "after": 0.01, "at": 11},
                teacher_tap="stages",
                transform=1,
            ),
            soft_targets(10.0, 1.0),
        ),
        teacher="twin",
        start="ann_twin",
        source="Qiu et al., Neural Networks 178, 2024",
        trust="official code",
        summary="The same by its ImageNet code: 1x1 convolutions, logits too, and features that weigh much in the first 11 batches of "
        "every epoch and little in the others. The student starts from its twin, level 1 of the paper, which is an option of the code.",
        equation="CE + beta sum over stages of mean (BN(W F_S) - F_T)^2 + 10 KL(p_T || p_S), beta = 10 in batches 0 to 10, then 0.01",
    ),
    Method(
        "lasnn",
        (objective("attention_map"),),
        start="ann_twin",
        source="Hong et al., 2023, arXiv:2304.09101",
        summary="Attention maps, after a start from the ANN twin. Distance, layers and weight are our choice.",
        equation="CE + |A_S / |A_S| - A_T / |A_T||^2, A = sum_d (mean_t F)^2",
    ),
    Method(
        "enof",
        (objective("teacher_head", temperature=4.0),),
        source="Guo et al., NeurIPS 2024",
        summary="The student's features through the teacher's frozen classifier (LAF). Weight and temperature are our choice; RepAct is "
        "left out.",
        equation="CE + tau^2 KL(p_T || softmax(W_T F_S / tau)), tau = 4",
    ),
    Method(
        "supersnn",
        (objective("sample_relations"),),
        source="Liang et al., IJCNN 2024",
        summary="Relations between the samples of a batch. Distance and weight are our choice.",
        equation="CE + mean (R_S - R_T)^2, R the relations of pairs of samples",
    ),
    Method(
        "joint_asnn",
        (
            objective("summed_labels", 0.9),
            soft_targets(0.1, 3.0, time="sum", distance="soft_cross_entropy"),
            objective("active_features", 1e-6, pooled=True),
        ),
        0.0,
        source="Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099",
        summary="Labels and soft targets on logits summed over time, and pooled features where one of the two is active: what the last "
        "exit of the spiking mode learns by in its code. There teacher and student share weights and train together, with exits, as "
        "kd.Joint does it; here the teacher is trained before.",
        equation="0.9 CE(sum_t z_S[t]) + 0.1 tau^2 SoftCE(p_T, p_S) + 1e-6 sum (F_S - F_T)^2 [F_S > 0 or F_T > 0], tau = 3",
    ),
)
