/* A driver that is too old for any CUDA that topi is built with: it stands before the machine's own in test_cuda.c. */
int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);

int cuInit(unsigned flags)
{
	(void)flags;
	return 0;
}

int cuDriverGetVersion(int *version)
{
	*version = 11040;
	return 0;
}
