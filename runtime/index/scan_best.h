/* The best rows so far: a heap whose root is the worst kept. Of equal scores the earlier row is the better. */
#ifndef EDGE_RETRIEVE_SCAN_BEST_H
#define EDGE_RETRIEVE_SCAN_BEST_H

#include "scan_partition.h"

typedef struct {
    int64_t *ids;
    float *scores;
    int held, room;
} Best;

INLINE int worse(const Best *b, int i, int j) {
    return b->scores[i] < b->scores[j] || (b->scores[i] == b->scores[j] && b->ids[i] > b->ids[j]);
}

INLINE void swap(Best *b, int i, int j) {
    float score = b->scores[i];
    int64_t id = b->ids[i];
    b->scores[i] = b->scores[j], b->ids[i] = b->ids[j];
    b->scores[j] = score, b->ids[j] = id;
}

static void sink(Best *b, int at, int size) {
    for (int child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && worse(b, child + 1, child)) child++;
        if (!worse(b, child, at)) return;
        swap(b, at, child);
    }
}

static void keep(Best *b, int64_t id, float score) {
    if (b->held < b->room) {
        int at = b->held++;
        b->ids[at] = id, b->scores[at] = score;
        for (; at && worse(b, at, (at - 1) / 2); at = (at - 1) / 2) swap(b, at, (at - 1) / 2);
    } else if (score > b->scores[0] || (score == b->scores[0] && id < b->ids[0])) {
        b->ids[0] = id, b->scores[0] = score;
        sink(b, 0, b->held);
    }
}

/* Bring what is kept into order, best first. */
static void rank(Best *b) {
    for (int size = b->held; size > 1;) {
        swap(b, 0, --size);
        sink(b, 0, size);
    }
}

#endif
