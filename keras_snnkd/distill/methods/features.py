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
        (objective("feature_map", 100.0),),
        start="ann_twin",
        source="Qiu et al., Neural Networks 178, 2024",
        summary="A student that starts from its ANN twin, and rate features, with the weight of its CIFAR code. There every student "
        "feature passes a trained convolution with batch norm, the teacher is the ANN twin itself, and the CIFAR code copies no weights; "
        "the last layer alone is our choice.",
        equation="CE + 100 mean (F_S - F_T)^2",
    ),
    Method(
        "sakd_imagenet",
        (objective("feature_map", {"schedule": "switch", "before": 10.0, "after": 0.01, "at": 11}), soft_targets(1.0, 1.0)),
        start="ann_twin",
        source="Qiu et al., Neural Networks 178, 2024",
        summary="Features first, then logits. In its code the large weight holds for the first 11 batches of every epoch, not for epochs, "
        "and the weight of the logits is 10; here for 11 epochs, and 1. The other differences are those of sakd.",
        equation="CE + beta mean (F_S - F_T)^2 + KL(p_T || p_S), beta = 10, from epoch 11 on 0.01",
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
        (soft_targets(0.1, 3.0, time="sum", distance="soft_cross_entropy"), objective("active_features", 1e-6)),
        0.9,
        source="Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099",
        summary="Soft targets on sums over time, and features where one of the two is active, with the weights of its code. There teacher "
        "and student share weights and train together, with exits, the label loss is on logits summed over time, and features are "
        "pooled to one number per channel; here the teacher is trained before, labels are compared with the mean, and features as maps.",
        equation="0.9 CE + 0.1 tau^2 SoftCE(p_T, p_S) + 1e-6 sum (F_S - F_T)^2 [F_S > 0 or F_T > 0], tau = 3",
    ),
)
