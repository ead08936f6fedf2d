footer = Onescan
