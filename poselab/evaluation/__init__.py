"""Evaluators of predictions: metrics, confidence intervals and error diagnosis, without torch.

Where an AP comes from, file by file: ``predictions_file`` opens the poses; ``metrics/oks`` chooses
how they are scored and records what the value depends on. Without an interval,
``metrics/hotcoco_streaming`` hands poses and people, as ``matching/coco_datasets`` writes them, to
hotcoco, which matches and averages. With an interval, ``matching/coco`` keeps the matches,
``metrics/precision_recall`` takes precision at 101 recalls from them,
``metrics/average_precision`` averages it, to the same digits, and ``statistics/bootstrap`` repeats
that for resampled images.
"""
