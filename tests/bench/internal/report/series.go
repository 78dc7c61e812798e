package report

import "math"

// PartsOf is the range of active parts.
func PartsOf(samples []Sample) Range {
	if len(samples) == 0 {
		return Range{}
	}
	r := Range{Min: math.MaxUint64, End: samples[len(samples)-1].Parts}
	for _, s := range samples {
		r.Min, r.Max = min(r.Min, s.Parts), max(r.Max, s.Parts)
	}
	return r
}

// GrowthOf compares the mean of a value in the second fifth of the samples, when everything is warm, with that of the last.
func GrowthOf(samples []Sample, of string, value func(Sample) (float64, bool)) Growth {
	fifth := len(samples) / 5
	mean := func(samples []Sample) float64 {
		var sum, n float64
		for _, s := range samples {
			if v, ok := value(s); ok {
				sum, n = sum+v, n+1
			}
		}
		return sum / max(n, 1)
	}
	return Growth{Of: of, Early: mean(samples[fifth : 2*fifth]), Late: mean(samples[len(samples)-fifth:])}
}
