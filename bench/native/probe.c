/* How fast is this core now? A fixed loop of about 1 ms every 50 ms; prints the CPU seconds of each.

   A line is "when seconds": CLOCK_MONOTONIC, and what the loop took. It reads a table as well as it counts,
   because memory and the other thread of a core slow a server down as much as the clock does.               */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 380000
#define WORDS 16384 /* 64 KiB */

static uint32_t table[WORDS];

static double clock_seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint32_t work(uint32_t state)
{
    for (int i = 0; i < ROUNDS; i++) {
        state = state * 1664525u + 1013904223u;
        state ^= table[state >> 18];
    }
    return state;
}

int main(void)
{
    uint32_t state = 1;
    for (int i = 0; i < WORDS; i++)
        table[i] = (uint32_t)i * 2654435761u;
    for (;;) {
        double before = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
        state = work(state);
        printf("%.4f %.7f\n", clock_seconds(CLOCK_MONOTONIC), clock_seconds(CLOCK_THREAD_CPUTIME_ID) - before);
        if (fflush(stdout) || state == 0xffffffffu)
            return 1;
        struct timespec pause = {0, 50000000};
        nanosleep(&pause, NULL);
    }
}
