"""Evaluators of predictions: metrics, confidence intervals and error diagnosis, without torch.

Where an AP comes from, file by file: ``predictions_file`` opens the poses, ``matching/coco`` has
the OKS engine match them to people, ``metrics/average_precision`` accumulates the matches to
precision at 101 recalls, ``metrics/oks`` says what the value depends on, and
``statistics/bootstrap`` counts images again for its interval. Without an interval,
``metrics/hotcoco_streaming`` takes the place of the accumulation, to the same digits.
"""
