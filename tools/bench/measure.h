/* What every bench program needs: a clock and a median. */
#pragma once

/* Seconds since some point of the past, never backwards. */
double measure_now_s(void);

/* The middle one of n >= 1 values (of an even number the higher of two), which it sorts. */
double measure_median(double *values, int n);
