"""How sure metric values are: bootstrap over images, several seeds, OKS sigmas."""
