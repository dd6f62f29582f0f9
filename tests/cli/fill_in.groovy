// Files of a pipeline read as Groovy, which Nextflow's language is, and one module's script filled in
// as Nextflow fills it in. Arguments: that module, its values as JSON, further files.
import groovy.json.JsonSlurper

args.findAll { it =~ /\.(nf|config)$/ }.each { new GroovyShell().parse(new File(it)) }
def script = new File(args[0]).text.replaceAll(/(?s)^.*\n    script:\n|\n    stub:.*$/, '')
print new GroovyShell(new Binding(new JsonSlurper().parseText(args[1]))).evaluate(script)
