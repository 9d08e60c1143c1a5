/*
 * gpu/cuda/device.h in plain C on the processor, for tests of what runs on it. It asserts that lanes
 * are waited for, that no operation writes over what it reads, and that a recording is only run again
 * for the work that it would hold.
 */
#pragma once

#include <stddef.h>

extern int device_n_live;      /* allocations, layers, graphs and devices that nobody has freed */
extern int device_n_allocated; /* since the device was opened */
extern int device_fail_at;     /* that allocation, counted from 1, finds no room; 0: none */
extern int device_n_tuned, device_n_recorded;
extern int device_n_weight_slopes, device_n_data_slopes; /* convolutions of backward */
extern size_t device_room;                               /* bytes that it says are free */
